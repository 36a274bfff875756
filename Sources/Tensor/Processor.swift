internal import Foundation

/// The machine's processor.
package enum Processor {
  /// As the system names it.
  package static var name: String {
    #if canImport(Darwin)
    return brand ?? "unknown"
    #else
    let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
    return text.flatMap(name(information:)) ?? "unknown"
    #endif
  }

  /// The name in the text of `/proc/cpuinfo`. ARM's kernels print numbers in its place.
  package static func name(information text: String) -> String? {
    func value(_ key: String) -> String? {
      let line = text.split(separator: "\n").first { line in
        line.hasPrefix(key) && line.dropFirst(key.count).first { !$0.isWhitespace } == ":"
      }
      return line?.split(separator: ":", maxSplits: 1).last?.trimmingCharacters(in: .whitespaces)
    }
    if let name = value("model name") { return name }
    guard let implementer = value("CPU implementer"), let part = value("CPU part") else { return nil }
    return armNames["\(implementer) \(part)"] ?? "ARM, implementer \(implementer), part \(part)"
  }

  /// Processors that clouds rent out. Source: Linux, `arch/arm64/include/asm/cputype.h`.
  private static let armNames = [
    "0x41 0xd08": "ARM Cortex-A72", "0x41 0xd0b": "ARM Cortex-A76", "0x41 0xd0c": "ARM Neoverse N1",
    "0x41 0xd40": "ARM Neoverse V1", "0x41 0xd49": "ARM Neoverse N2", "0x41 0xd4f": "ARM Neoverse V2",
    "0x41 0xd84": "ARM Neoverse V3", "0x41 0xd8e": "ARM Neoverse N3",
  ]

  #if canImport(Darwin)
  private static var brand: String? {
    var bytes = [UInt8](repeating: 0, count: 256)
    var count = bytes.count
    guard unsafe sysctlbyname("machdep.cpu.brand_string", &bytes, &count, nil, 0) == 0 else { return nil }
    return String(decoding: bytes.prefix(count).prefix { $0 != 0 }, as: UTF8.self)
  }
  #endif
}
