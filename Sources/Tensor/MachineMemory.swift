internal import Foundation

/// The machine's memory as the system counts it.
package struct MachineMemory: Sendable, Equatable {
  /// All of it, in bytes.
  package let total: Int
  /// What processes can still have without others being pushed out, in bytes; all of it where the system does not say.
  package let available: Int
  /// When memory comes in huge pages: `always`, `madvise` or `never`; `nil` where the system does not say.
  package let hugePages: String?

  /// What the files below `root` say; `nil` when they say nothing that can be used.
  package init?(root: String = "/") {
    #if os(Linux)
    let lines = (try? String(contentsOfFile: root + "/proc/meminfo", encoding: .utf8))?.split(separator: "\n") ?? []
    func bytes(_ key: String) -> Int? {
      let words = lines.first { $0.hasPrefix(key + ":") }?.split(separator: " ") ?? []
      guard words.count == 3, words[2] == "kB", let count = Int(words[1]), (0..<1 << 50).contains(count) else {
        return nil
      }
      return count << 10
    }
    guard let total = bytes("MemTotal"), total > 0 else { return nil }
    self.total = total
    available = min(bytes("MemAvailable") ?? total, total)
    // One word of the line is in brackets.
    let modes = try? String(contentsOfFile: root + "/sys/kernel/mm/transparent_hugepage/enabled", encoding: .utf8)
    hugePages = modes?.split(separator: "[").last?.split(separator: "]").first.map(String.init)
    #else
    guard let bytes = Int(exactly: ProcessInfo.processInfo.physicalMemory) else { return nil }
    (total, available, hugePages) = (bytes, bytes, nil)
    #endif
  }
}
