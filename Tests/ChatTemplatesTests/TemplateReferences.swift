import Foundation
import JSON
import TestSupport

/// The reference files that `Tests/Golden/templates.py` writes.
enum TemplateReferences {
  static let folder = Places.golden.appendingPathComponent("templates")

  static func json(_ name: String) throws -> JSONValue {
    try JSONValue(parsing: [UInt8](Data(contentsOf: folder.appendingPathComponent(name))))
  }

  static func source(_ name: String) throws -> String {
    try String(contentsOf: folder.appendingPathComponent("sources/\(name).jinja"), encoding: .utf8)
  }

  static func variables(_ json: JSONValue?) throws -> [String: JSONValue] {
    guard case .object(let object)? = json else { throw CocoaError(.fileReadCorruptFile) }
    return Dictionary(uniqueKeysWithValues: object.pairs.map { ($0.key, $0.value) })
  }

  /// The moment at which the references were rendered: 2026-03-07 09:05:04.
  static let now = Date(timeIntervalSince1970: 1_772_874_304)
  static let utc = TimeZone(secondsFromGMT: 0) ?? .current
}
