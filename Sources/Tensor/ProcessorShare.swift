internal import Foundation

/// How much of the machine's processors this process may use.
package struct ProcessorShare: Sendable, Equatable {
  /// Physical cores that the process may run on (its affinity mask).
  package let cores: Int
  /// Processor time per time, in cores, that its control groups grant; `nil` without a limit.
  package let quota: Double?
  /// The memory nodes that these cores belong to, in the system's order; one where the system says nothing of nodes.
  package let nodes: [Node]

  /// Processors that share memory.
  package struct Node: Sendable, Equatable {
    /// As the system numbers them, those that the process may run on.
    package let processors: [Int]
    /// Physical cores among them.
    package let cores: Int
  }

  /// That of this process, as it was when it was first asked for.
  package static let current = ProcessorShare(root: "/")

  /// What the files below `root` say of this process.
  package init(root: String) {
    quota = ControlGroup(root: root).cores
    #if os(Linux)
    let allowed = Self.allowedProcessors(root)
    #else
    let allowed: [Int] = []
    #endif
    guard !allowed.isEmpty else {
      cores = ProcessInfo.processInfo.activeProcessorCount
      nodes = [Node(processors: [], cores: cores)]
      return
    }
    cores = Self.cores(of: allowed, root)
    let found = Self.nodeLists(root).map { list in Set(list).intersection(allowed).sorted() }.filter { !$0.isEmpty }
    // A processor of no node, or of two, is nothing to go by.
    let isWhole = found.reduce(0) { $0 + $1.count } == Set(allowed).count
    nodes = (isWhole ? found : [allowed]).map { Node(processors: $0, cores: Self.cores(of: $0, root)) }
  }

  /// Threads that can compute at one time: one per core, at most the quota rounded up, at least one.
  ///
  /// More threads than that would use up a period's time early and then all stand still until the next.
  package var threads: Int {
    let granted = quota.map { Int(min($0, Double(WorkerPool.mostThreads)).rounded(.up)) } ?? cores
    return max(1, min(cores, granted, WorkerPool.mostThreads))
  }

  /// Hyperthreads of one core compete for the same arithmetic units; the first of each core stands for it.
  private static func cores(of processors: [Int], _ root: String) -> Int {
    let cores = Set(
      processors.map { cpu -> String in
        let path = root + "/sys/devices/system/cpu/cpu\(cpu)/topology/thread_siblings_list"
        return (try? String(contentsOfFile: path, encoding: .utf8)) ?? "\(cpu)"
      })
    return max(1, cores.count)
  }

  /// The processors of every memory node, by number.
  private static func nodeLists(_ root: String) -> [[Int]] {
    let folder = root + "/sys/devices/system/node"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let numbers = names.compactMap { $0.hasPrefix("node") ? Int($0.dropFirst(4)) : nil }.sorted()
    return numbers.compactMap { number in
      (try? String(contentsOfFile: folder + "/node\(number)/cpulist", encoding: .utf8)).map(processors(in:))
    }
  }

  /// From a line such as `Cpus_allowed_list: 0-3,8`.
  private static func allowedProcessors(_ root: String) -> [Int] {
    guard let status = try? String(contentsOfFile: root + "/proc/self/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("Cpus_allowed_list:") })
    else { return [] }
    return processors(in: line.dropFirst("Cpus_allowed_list:".count))
  }

  /// From a list such as `0-3,8`.
  private static func processors(in list: some StringProtocol) -> [Int] {
    list.split(separator: ",").flatMap { range -> [Int] in
      let ends = range.split(separator: "-").compactMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
      guard let first = ends.first, let last = ends.last, first >= 0, first <= last, last < 1 << 16 else { return [] }
      return Array(first...last)
    }
  }
}
