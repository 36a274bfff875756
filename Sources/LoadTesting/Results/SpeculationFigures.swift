/// What speculation did during a run, from the server's own counters.
package struct SpeculationFigures: Sendable, Equatable {
  /// Where the counters came from.
  package enum Source: String, Sendable, Codable {
    /// `/metrics`, before and after.
    case metrics
    /// `metrics.speculative_decoding` of the responses.
    case responses
  }

  package var source: Source
  /// Times that proposals were verified.
  package var drafts = 0
  package var draftTokens = 0
  package var acceptedTokens = 0
  /// Accepted tokens at each position of the window, from the first; empty if the server does not say.
  package var acceptedPerPosition: [Int] = []

  /// Accepted over proposed, from 0 to 1; `nil` if nothing was proposed.
  package var acceptanceRate: Double? { draftTokens > 0 ? Double(acceptedTokens) / Double(draftTokens) : nil }

  /// 1 + accepted over drafts, vLLM's *acceptance length*; `nil` if nothing was proposed.
  package var acceptanceLength: Double? { drafts > 0 ? 1 + Double(acceptedTokens) / Double(drafts) : nil }

  /// Share of drafts whose token at each position was accepted (not conditional on the positions before).
  package var acceptanceRatePerPosition: [Double] {
    drafts > 0 ? acceptedPerPosition.map { Double($0) / Double(drafts) } : []
  }

  /// All of them together; `nil` for none.
  package static func sum(_ all: some Sequence<SpeculationFigures?>) -> SpeculationFigures? {
    all.reduce(nil) { sum, figures in
      guard var sum else { return figures }
      if let figures { sum.add(figures) }
      return sum
    }
  }

  /// Adds another run's counters.
  package mutating func add(_ other: SpeculationFigures) {
    drafts += other.drafts
    draftTokens += other.draftTokens
    acceptedTokens += other.acceptedTokens
    for (position, accepted) in other.acceptedPerPosition.enumerated() {
      if position < acceptedPerPosition.count {
        acceptedPerPosition[position] += accepted
      } else {
        acceptedPerPosition.append(accepted)
      }
    }
  }
}
