internal import Foundation
internal import JSON

/// A JSON value as JSON Schema compares it: numbers by value, objects whatever the order of their keys. Equal values have
/// equal bytes, so that a set of them finds one without looking at all.
struct CanonicalValue: Hashable, Sendable {
  private let bytes: [UInt8]

  init(_ value: JSONValue) {
    var bytes: [UInt8] = []
    Self.append(value, to: &bytes)
    self.bytes = bytes
  }

  /// Bytes that it takes, for what it costs to compare.
  var count: Int { bytes.count }

  // Every kind of value has a mark of its own, and what follows is of fixed length or has its length before it.
  private static func append(_ value: JSONValue, to bytes: inout [UInt8]) {
    switch value {
    case .null: bytes.append(UInt8(ascii: "n"))
    case .bool(let verdict): bytes.append(verdict ? UInt8(ascii: "t") : UInt8(ascii: "f"))
    case .integer(let number): append(number, mark: UInt8(ascii: "i"), to: &bytes)
    case .number(let number):
      // A number without a fraction is the integer, however it was written.
      if let whole = Int(exactly: number) {
        append(whole, mark: UInt8(ascii: "i"), to: &bytes)
      } else if number.isFinite, number == number.rounded() {
        append(Array(String(format: "%.0f", number).utf8), mark: UInt8(ascii: "b"), to: &bytes)
      } else {
        append(Int(bitPattern: UInt(number.bitPattern)), mark: UInt8(ascii: "d"), to: &bytes)
      }
    case .bigInteger(let digits): append(Array(digits.utf8), mark: UInt8(ascii: "b"), to: &bytes)
    case .string(let text): append(Array(text.utf8), mark: UInt8(ascii: "s"), to: &bytes)
    case .array(let elements):
      append(elements.count, mark: UInt8(ascii: "a"), to: &bytes)
      for element in elements { append(element, to: &bytes) }
    case .object(let object):
      append(object.count, mark: UInt8(ascii: "o"), to: &bytes)
      let pairs = object.pairs.map { (key: Array($0.key.utf8), value: $0.value) }
      for (key, value) in pairs.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
        append(key, mark: UInt8(ascii: "k"), to: &bytes)
        append(value, to: &bytes)
      }
    }
  }

  private static func append(_ number: Int, mark: UInt8, to bytes: inout [UInt8]) {
    bytes.append(mark)
    for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: number >> (8 * shift))) }
  }

  private static func append(_ text: [UInt8], mark: UInt8, to bytes: inout [UInt8]) {
    append(text.count, mark: mark, to: &bytes)
    bytes += text
  }
}
