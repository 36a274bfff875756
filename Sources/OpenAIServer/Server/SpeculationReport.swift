/// What answers say about speculation (`--per-request-spec-decode-metrics`).
package enum SpeculationReport: String, Sendable, CaseIterable {
  /// Nothing.
  case none
  /// Counts and rates.
  case summary
  /// These, and every verification.
  case detailed
}
