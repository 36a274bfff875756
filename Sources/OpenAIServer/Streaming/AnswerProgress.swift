internal import Synchronization

/// How far a request has come, for what is said when it ends before its time.
final class AnswerProgress: Sendable {
  private let written = Atomic<Int>(0)
  private let started = ContinuousClock.now

  /// A token has come, of whichever answer.
  func count() { written.add(1, ordering: .relaxed) }

  /// Tokens so far.
  var tokens: Int { written.load(ordering: .relaxed) }
  /// Since it was begun.
  var seconds: Double { (ContinuousClock.now - started) / .seconds(1) }
}
