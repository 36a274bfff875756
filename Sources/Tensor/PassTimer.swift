internal import Foundation

/// The time of a pass, and whether it says anything about the pass. It is begun and read on one thread, the one that
/// computes and waits for the others.
package struct PassTimer {
  private let started = ContinuousClock.now
  private let processorTime = Self.threadSeconds

  /// Begins now.
  package init() {}

  /// Seconds since it began.
  package var seconds: Double { (ContinuousClock.now - started) / .seconds(1) }

  /// Whether others had the processor for a tenth of the time or more. A thread that waits for a worker which is held up
  /// lets others have its processor too.
  package var wasHeldUp: Bool {
    let seconds = seconds
    return seconds - (Self.threadSeconds - processorTime) > 0.1 * seconds
  }

  /// Processor time of this thread.
  private static var threadSeconds: Double {
    var time = timespec()
    guard unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0 else { return 0 }
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
