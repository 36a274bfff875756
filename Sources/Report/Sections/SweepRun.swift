internal import Foundation
internal import JSON
internal import LoadTesting

/// A candidate of a sweep on one workload, compared with the server without speculation.
///
/// `foretoken deploy --sweep` writes which candidate it was into the comparison's notes.
struct SweepRun: Sendable {
  /// How a candidate speculates.
  struct Candidate: Sendable, Hashable {
    let method: String
    let draft: String?
    let window: Int
  }

  let candidate: Candidate
  let comparison: ServingComparisonResult

  /// `nil` for a comparison that is no part of a sweep.
  init?(_ comparison: ServingComparisonResult) {
    let notes = comparison.a.header.metadata
    guard let method = notes["sweep_method"], let window = notes["sweep_window"].flatMap({ Int($0) }),
      (1...OutsideNumbers.mostPositions).contains(window)
    else { return nil }
    candidate = Candidate(method: method, draft: notes["sweep_draft"], window: window)
    self.comparison = comparison
  }

  var workload: String { comparison.a.header.dataset }
  var speedup: ServingComparisonResult.Ratio? { comparison.overall.outputThroughput }

  /// What the speedup is worth: 1 where the interval holds both a gain and a loss, or where there is none.
  var soundSpeedup: Double {
    guard let speedup, let lower = speedup.lower, let upper = speedup.upper else { return 1 }
    return lower <= 1 && upper >= 1 ? 1 : speedup.ratio
  }

  /// Tokens that a verification brings, and whether the server counted them.
  var tokensPerStep: (value: Double, isCounted: Bool)? {
    if let counted = comparison.a.total.speculation?.acceptanceLength { return (counted, true) }
    return comparison.a.total.tokensPerStepEstimate.map { ($0, false) }
  }

  /// The tokens per step at which the candidate would be as fast as plain decoding: a step takes tokens per step × TPOT.
  var breakEvenTokensPerStep: Double? {
    guard let tokens = tokensPerStep?.value, let own = comparison.a.total.latencies[.tpot]?.mean,
      let plain = comparison.b.total.latencies[.tpot]?.mean, plain > 0
    else { return nil }
    return tokens * own / plain
  }

  /// Tokens per step as the share of the window's proposals that is accepted.
  func acceptance(_ tokensPerStep: Double) -> Double { (tokensPerStep - 1) / Double(candidate.window) }
}

/// A candidate that could not be measured, and why.
struct SweepFailure: Sendable, Decodable {
  static let schema = "foretoken.sweep-failure/1"
  let candidate, reason: String
}
