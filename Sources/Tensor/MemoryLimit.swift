#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

internal import Foundation

/// A bound on this process's memory, beyond which it is ended or refused more.
package struct MemoryLimit: Sendable, Equatable {
  /// What sets it, for messages.
  package let name: String
  package let bytes: Int
  /// Whether files that are mapped count too.
  package let countsMappings: Bool

  package init(name: String, bytes: Int, countsMappings: Bool) {
    (self.name, self.bytes, self.countsMappings) = (name, bytes, countsMappings)
  }

  /// The limits of this process.
  ///
  /// - Parameter root: folder in which control groups are looked up.
  package static func all(root: String = "/") -> [MemoryLimit] {
    var limits: [MemoryLimit] = []
    if let bytes = ControlGroup(root: root).memoryBytes {
      limits.append(MemoryLimit(name: "the control group's memory limit", bytes: bytes, countsMappings: false))
    }
    var limit = rlimit()
    #if canImport(Darwin) || canImport(Musl)
    let resource = RLIMIT_AS
    #else
    let resource = __rlimit_resource_t(RLIMIT_AS.rawValue)
    #endif
    if unsafe getrlimit(resource, &limit) == 0, limit.rlim_cur < 1 << 60 {
      limits.append(
        MemoryLimit(name: "the limit on address space (ulimit -v)", bytes: Int(limit.rlim_cur), countsMappings: true))
    }
    return limits
  }

  /// Bytes of memory that new work finds, in the machine and within this process's limits; `nil` where nobody says.
  ///
  /// - Parameter root: folder in which `proc/meminfo` and control groups are looked up.
  package static func availableBytes(root: String = "/") -> Int? {
    let free = Self.memoryInfo(root: root)["MemAvailable"]
    return ([free].compactMap(\.self) + all(root: root).map(\.bytes)).min()
  }

  /// Lines of `/proc/meminfo` in bytes.
  private static func memoryInfo(root: String) -> [String: Int] {
    let text = (try? String(contentsOfFile: root + "/proc/meminfo", encoding: .utf8)) ?? ""
    return text.split(separator: "\n").reduce(into: [:]) { facts, line in
      let words = line.split(whereSeparator: { $0 == " " || $0 == ":" })
      guard words.count >= 2, let kibibytes = Int(words[1]), kibibytes < 1 << 50 else { return }
      facts[String(words[0])] = kibibytes << 10
    }
  }
}
