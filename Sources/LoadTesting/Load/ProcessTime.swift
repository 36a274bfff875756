internal import Foundation

/// Processor time that this process has used.
enum ProcessTime {
  /// In user and system mode, over all threads.
  static var seconds: Double {
    var usage = rusage()
    #if canImport(Darwin) || canImport(Musl)
    unsafe getrusage(RUSAGE_SELF, &usage)
    #else
    unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    #endif
    return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
  }
}
