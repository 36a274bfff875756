internal import Synchronization

/// How much work one request may cause, in steps, and whether anybody still waits for it.
///
/// Whoever works for a request spends steps as it goes, each about as much as a few dozen instructions, and stops when
/// there are none left or when the client has gone. Any thread may spend and cancel.
package final class WorkBudget: Sendable {
  /// Steps at the start.
  package let steps: Int
  private let left: Atomic<Int>
  private let cancelled = Atomic<Bool>(false)

  package init(steps: Int) {
    self.steps = steps
    left = Atomic(steps)
  }

  /// Takes `count` steps away; false when they are not there, or when nobody waits for the work any more.
  package func spend(_ count: Int = 1) -> Bool {
    guard !isCancelled else { return false }
    // Once there is nothing left it stays so, whatever is asked for next.
    return left.subtract(max(0, count), ordering: .relaxed).newValue >= 0
  }

  /// Steps that are left.
  package var remaining: Int { isCancelled ? 0 : max(0, left.load(ordering: .relaxed)) }

  /// Ends the work: nobody waits for it.
  package func cancel() { cancelled.store(true, ordering: .relaxed) }

  /// Whether nobody waits for the work.
  package var isCancelled: Bool { cancelled.load(ordering: .relaxed) }
}
