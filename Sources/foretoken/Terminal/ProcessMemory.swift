internal import Foundation

/// Memory of this process as the system counts it.
enum ProcessMemory {
  /// Most memory that was resident at one time, in bytes.
  static var peakResidentBytes: Int {
    var usage = rusage()
    #if canImport(Darwin)
    unsafe getrusage(RUSAGE_SELF, &usage)
    return usage.ru_maxrss
    #elseif canImport(Musl)
    unsafe getrusage(RUSAGE_SELF, &usage)
    return usage.ru_maxrss * 1024
    #else
    unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
    #endif
  }
}
