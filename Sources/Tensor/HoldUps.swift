internal import Foundation

/// Interruptions of this process's threads by others that want the same processors, and by quotas.
package enum HoldUps {
  /// How often a thread of the process has had to give up a processor that it still wanted, so far.
  package static var count: Int {
    var usage = rusage()
    #if canImport(Glibc)
    let process = __rusage_who_t(RUSAGE_SELF.rawValue)
    #else
    let process = RUSAGE_SELF
    #endif
    guard unsafe getrusage(process, &usage) == 0 else { return 0 }
    return usage.ru_nivcsw
  }
}

/// The time of a pass, and whether it says anything about the pass.
package struct PassTimer {
  private let started = ContinuousClock.now
  private let holdUps = HoldUps.count

  /// Begins now.
  package init() {}

  /// Seconds since it began.
  package var seconds: Double { (ContinuousClock.now - started) / .seconds(1) }

  /// Whether others had a processor meanwhile that the process wanted.
  package var wasHeldUp: Bool { HoldUps.count > holdUps }
}
