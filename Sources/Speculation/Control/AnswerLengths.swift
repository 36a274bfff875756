/// How long answers get, from those that ended.
struct AnswerLengths {
  private var recent: [Int] = []
  private var next = 0

  private static let kept = 64
  /// Answers that the expectation without evidence is worth: a text goes on for about as long as it has gone on.
  private static let priorWeight = 2.0
  private static let prior = 8...64

  /// Counts an answer of `length` tokens.
  mutating func record(_ length: Int) {
    guard length > 0 else { return }
    if recent.count < Self.kept { recent.append(length) } else { recent[next] = length }
    next = (next + 1) % Self.kept
  }

  /// Tokens to be expected of an answer after its first `position`.
  func expectedRemaining(after position: Int) -> Double {
    let prior = Double(min(max(position, Self.prior.lowerBound), Self.prior.upperBound))
    var (sum, weight) = (Self.priorWeight * prior, Self.priorWeight)
    for length in recent where length > position {
      sum += Double(length - position)
      weight += 1
    }
    return sum / weight
  }
}
