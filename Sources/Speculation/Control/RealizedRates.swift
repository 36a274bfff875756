/// Tokens per second that steps with and without proposals really came to, for one number of texts.
///
/// The planner knows what passes were measured to cost. What else a step costs, and what was measured wrongly, shows
/// here: where proposing has not paid, nothing is proposed, but for a try now and then.
struct RealizedRates {
  private struct Rate {
    var tokens = 0.0
    var seconds = 0.0
    var steps = 0.0

    var perSecond: Double { tokens / seconds }

    mutating func record(tokens: Int, seconds: Double) {
      self.tokens = self.tokens * RealizedRates.memory + Double(tokens)
      self.seconds = self.seconds * RealizedRates.memory + seconds
      steps = steps * RealizedRates.memory + 1
    }
  }

  private var plain = Rate()
  private var proposing = Rate()
  /// Steps so far.
  private var count = 0

  /// What an older step counts, per newer one of its kind.
  private static let memory = 0.95
  /// Steps of each kind before they are compared.
  private static let leastSteps = 5.0
  /// One in so many steps is plain until there is something to compare with.
  private static let plainInterval = 8
  /// One in so many steps proposes where that has not paid.
  private static let tryInterval = 32

  /// Whether the next step should propose at all.
  var allowsProposals: Bool {
    guard proposing.steps >= Self.leastSteps else { return true }
    guard plain.steps >= Self.leastSteps else { return count % Self.plainInterval != 0 }
    return proposing.perSecond > plain.perSecond || count % Self.tryInterval == 0
  }

  /// Counts a step that decided on tokens of every text.
  mutating func record(tokens: Int, seconds: Double, hadProposals: Bool) {
    count += 1
    if hadProposals {
      proposing.record(tokens: tokens, seconds: seconds)
    } else {
      plain.record(tokens: tokens, seconds: seconds)
    }
  }
}
