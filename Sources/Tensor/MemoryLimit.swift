#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A bound on this process's memory, beyond which it is ended or refused more.
package struct MemoryLimit: Sendable, Equatable {
  /// What sets it, for messages.
  package let name: String
  package let bytes: Int
  /// Whether files that are mapped count too.
  package let countsMappings: Bool
  /// Whether somebody can set it higher.
  package let canBeRaised: Bool

  package init(name: String, bytes: Int, countsMappings: Bool, canBeRaised: Bool = true) {
    (self.name, self.bytes, self.countsMappings) = (name, bytes, countsMappings)
    self.canBeRaised = canBeRaised
  }

  /// The limits of this process.
  ///
  /// - Parameter root: folder in which control groups are looked up.
  package static func all(root: String = "/") -> [MemoryLimit] {
    var limits: [MemoryLimit] = []
    if let bytes = MachineMemory(root: root)?.total {
      limits.append(
        MemoryLimit(name: "the machine's memory", bytes: bytes, countsMappings: false, canBeRaised: false))
    }
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
    ([MachineMemory(root: root)?.available].compactMap(\.self) + all(root: root).map(\.bytes)).min()
  }
}
