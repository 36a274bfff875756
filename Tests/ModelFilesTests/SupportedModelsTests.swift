import Foundation
import ModelFiles
import TestSupport
import Testing

/// The README's table of families is the code's list of them.
@Suite struct SupportedModelsTests {
  /// The first two columns of the table: names in `config.json`, and in GGUF files.
  static func rows() throws -> [(names: [String], gguf: [String])] {
    let text = try String(contentsOf: Places.root.appendingPathComponent("README.md"), encoding: .utf8)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let header = try #require(lines.firstIndex { $0.hasPrefix("| `architectures` in `config.json` | GGUF |") })
    return lines[(header + 2)...].prefix { $0.hasPrefix("|") }.map { line in
      let columns = line.split(separator: "|").map { column in
        column.matches(of: /`([^`]+)`/).map { String($0.1) }
      }
      return (columns[0], columns[1])
    }
  }

  @Test("the table has every architecture that is accepted, once, and no other") func architectures() throws {
    let named = try Self.rows().flatMap(\.names)
    let accepted =
      ModelConfiguration.Architecture.allCases.map(\.rawValue) + ModelConfiguration.Architecture.inLarger.keys
    #expect(named.sorted() == accepted.sorted())
  }

  @Test("the table has the names that GGUF files have") func ggufNames() throws {
    for (names, gguf) in try Self.rows() {
      for name in names {
        let architecture =
          ModelConfiguration.Architecture(rawValue: name) ?? ModelConfiguration.Architecture.inLarger[name]
        #expect(gguf == [try #require(architecture, "\(name)").family])
      }
    }
  }
}
