internal import Foundation

/// The machine's processor.
package enum Processor {
  /// As the system names it.
  package static var name: String {
    guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix("model name") }),
      let value = line.split(separator: ":", maxSplits: 1).last
    else { return "unknown" }
    return value.trimmingCharacters(in: .whitespaces)
  }
}
