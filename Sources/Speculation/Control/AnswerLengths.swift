/// How long answers get, from those that ended.
package struct AnswerLengths {
  private var recent: [Int] = []
  private var next = 0

  package init() {}

  private static let kept = 64
  /// Tokens to be expected of any answer without evidence, and how many answers that expectation is worth.
  private static let prior = 64.0
  private static let priorWeight = 2.0

  /// Counts an answer of `length` tokens.
  package mutating func record(_ length: Int) {
    guard length > 0 else { return }
    if recent.count < Self.kept { recent.append(length) } else { recent[next] = length }
    next = (next + 1) % Self.kept
  }

  /// Tokens to be expected of an answer after its first `position`.
  package func expectedRemaining(after position: Int) -> Double {
    var (sum, weight) = (Self.priorWeight * Self.prior, Self.priorWeight)
    for length in recent where length > position {
      sum += Double(length - position)
      weight += 1
    }
    return sum / weight
  }
}
