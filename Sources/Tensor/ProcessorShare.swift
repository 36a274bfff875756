internal import Foundation

/// How much of the machine's processors this process may use.
package struct ProcessorShare: Sendable, Equatable {
  /// Physical cores that the process may run on (its affinity mask).
  package let cores: Int
  /// Processor time per time, in cores, that its control groups grant; `nil` without a limit.
  package let quota: Double?

  /// That of this process, as it was when it was first asked for.
  package static let current = ProcessorShare(root: "/")

  /// A share of `cores` cores, of whose time `quota` is granted.
  init(cores: Int, quota: Double?) { (self.cores, self.quota) = (cores, quota) }

  /// What the files below `root` say of this process.
  package init(root: String) {
    self.init(cores: Self.physicalCores(root), quota: ControlGroup(root: root).cores)
  }

  /// Threads that can compute at one time: one per core, at most the quota rounded up, at least one.
  ///
  /// More threads than that would use up a period's time early and then all stand still until the next.
  package var threads: Int {
    let granted = quota.map { Int(min($0, Double(WorkerPool.mostThreads)).rounded(.up)) } ?? cores
    return max(1, min(cores, granted, WorkerPool.mostThreads))
  }

  private static func physicalCores(_ root: String) -> Int {
    #if os(Linux)
    let allowed = allowedProcessors(root)
    guard !allowed.isEmpty else { return ProcessInfo.processInfo.activeProcessorCount }
    // Hyperthreads of one core compete for the same arithmetic units; the first of each core stands for it.
    let cores = Set(
      allowed.map { cpu -> String in
        let path = root + "/sys/devices/system/cpu/cpu\(cpu)/topology/thread_siblings_list"
        return (try? String(contentsOfFile: path, encoding: .utf8)) ?? "\(cpu)"
      })
    return max(1, cores.count)
    #else
    return ProcessInfo.processInfo.activeProcessorCount
    #endif
  }

  #if os(Linux)
  /// From a line such as `Cpus_allowed_list: 0-3,8`.
  private static func allowedProcessors(_ root: String) -> [Int] {
    guard let status = try? String(contentsOfFile: root + "/proc/self/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("Cpus_allowed_list:") })
    else { return [] }
    return line.dropFirst("Cpus_allowed_list:".count).split(separator: ",").flatMap { range -> [Int] in
      let ends = range.split(separator: "-").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
      guard let first = ends.first, let last = ends.last, first <= last, last - first < 1 << 16 else { return [] }
      return Array(first...last)
    }
  }
  #endif
}
