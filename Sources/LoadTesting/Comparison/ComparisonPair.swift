/// One block of requests, answered by both sides one right after the other.
struct ComparisonPair: Sendable {
  /// What a side made of the block.
  struct Side: Sendable {
    var outputTokens = 0
    /// From the block's first request until its last answer.
    var seconds = 0.0
    var answers = 0
    var firstTokenSeconds = 0.0
    var latencySeconds = 0.0
    /// After the first tokens, and the tokens that came then.
    var decodeSeconds = 0.0
    var decodeTokens = 0

    init() {}

    /// `nil` unless all of the block's requests were answered whole.
    init?(_ run: LoadRun) {
      guard run.unfinished == 0, !run.records.isEmpty, run.records.allSatisfy(\.isComplete) else { return nil }
      seconds = run.duration
      for record in run.records {
        answers += 1
        outputTokens += record.outputTokens
        let first = record.timeToFirstToken ?? record.latency
        firstTokenSeconds += first
        latencySeconds += record.latency
        if record.outputTokens > 1 {
          decodeSeconds += record.latency - first
          decodeTokens += record.outputTokens - 1
        }
      }
    }

    static func + (left: Side, right: Side) -> Side {
      var sum = left
      sum.outputTokens += right.outputTokens
      sum.seconds += right.seconds
      sum.answers += right.answers
      sum.firstTokenSeconds += right.firstTokenSeconds
      sum.latencySeconds += right.latencySeconds
      sum.decodeSeconds += right.decodeSeconds
      sum.decodeTokens += right.decodeTokens
      return sum
    }
  }

  let category: String
  let a, b: Side
}

extension ComparisonPair {
  /// How much better A is than B, over sums of both; above 1 in favour of A.
  enum Measure: CaseIterable {
    case outputThroughput, ttft, tpot, e2el

    func ratio(_ a: Side, _ b: Side) -> Double {
      switch self {
      case .outputThroughput: (Double(a.outputTokens) / a.seconds) / (Double(b.outputTokens) / b.seconds)
      case .ttft: (b.firstTokenSeconds / Double(b.answers)) / (a.firstTokenSeconds / Double(a.answers))
      case .tpot: (b.decodeSeconds / Double(b.decodeTokens)) / (a.decodeSeconds / Double(a.decodeTokens))
      case .e2el: (b.latencySeconds / Double(b.answers)) / (a.latencySeconds / Double(a.answers))
      }
    }

    func ratio(over pairs: [ComparisonPair]) -> Double {
      ratio(pairs.reduce(Side()) { $0 + $1.a }, pairs.reduce(Side()) { $0 + $1.b })
    }

    /// The ratio and its interval; each of `strata` is resampled by itself, or all together if one has a single pair,
    /// which says nothing of its spread. `nil` without pairs or tokens; without an interval of fewer pairs than one can
    /// follow from.
    func estimate(_ strata: [[ComparisonPair]], _ bootstrap: Bootstrap) -> ServingComparisonResult.Ratio? {
      let pairs = strata.flatMap { $0 }
      let value = ratio(over: pairs)
      let drawn = strata.allSatisfy { $0.count > 1 } ? strata : [pairs]
      guard !pairs.isEmpty, value.isFinite else { return nil }
      let interval = bootstrap.interval(strata: drawn, ratio(over:))
      return ServingComparisonResult.Ratio(ratio: value, lower: interval?.lower, upper: interval?.upper)
    }
  }
}
