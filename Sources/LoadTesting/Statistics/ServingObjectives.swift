/// What a request must keep to to count for goodput, in milliseconds; vLLM's `--goodput ttft:200 tpot:20`.
package struct ServingObjectives: Sendable, Equatable {
  package var ttft, tpot, e2el: Double?

  package init(ttft: Double? = nil, tpot: Double? = nil, e2el: Double? = nil) {
    (self.ttft, self.tpot, self.e2el) = (ttft, tpot, e2el)
  }

  package var isEmpty: Bool { ttft == nil && tpot == nil && e2el == nil }

  /// Whether a completed request kept to all of them; one of a single token has a TPOT of 0.
  func areMet(by record: RequestRecord) -> Bool {
    func keeps(_ seconds: Double, _ limit: Double?) -> Bool { limit.map { seconds * 1000 <= $0 } ?? true }
    return keeps(record.timeToFirstToken ?? .infinity, ttft) && keeps(record.timePerOutputToken ?? 0, tpot)
      && keeps(record.latency, e2el)
  }
}
