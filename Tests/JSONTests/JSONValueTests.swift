import Foundation
import JSON
import TestSupport
import Testing

@Suite struct `JSON values` {
  /// Texts, and what Python's `json` makes of them (`Tests/Golden/templates.py`).
  static func documents() throws -> [JSONValue] {
    let file = Places.golden.appendingPathComponent("templates/documents.json")
    return try #require(JSONValue(parsing: [UInt8](Data(contentsOf: file))).array)
  }

  @Test func `are read and written as Python's json does, or refused where it refuses`() throws {
    let documents = try Self.documents()
    #expect(documents.count > 200)
    var ascii = JSONStyle.python
    ascii.escapesNonASCII = true
    let indented = JSONStyle(itemSeparator: ",", indentation: "  ", sortsKeys: true)
    for document in documents {
      let text = try #require(document["text"]?.string)
      let parsed = try? JSONValue(parsing: text)
      guard let expected = document["python"]?.string else {
        #expect(parsed == nil, "accepted \(text)")
        continue
      }
      let value = try #require(parsed, "refused \(text)")
      #expect(value.serialized(.python).hasSameScalars(as: expected))
      #expect(value.serialized(.compact).hasSameScalars(as: document["compact"]?.string ?? ""))
      #expect(value.serialized(ascii).hasSameScalars(as: document["ascii"]?.string ?? ""))
      #expect(value.serialized(indented).hasSameScalars(as: document["indented"]?.string ?? ""))
      #expect(try JSONValue(parsing: value.serialized()) == value)
    }
  }

  @Test(arguments: [
    ("", 1, 1, "found the end of the text, expected a value"),
    ("[1,\n 2,\n x]", 3, 2, "found 'x', expected a value"),
    ("{\"a\": 1,}", 1, 9, "found '}' in an object, expected a key in double quotes"),
    ("[1 2]", 1, 4, "found '2' in an array, expected ',' or ']'"),
    ("{} x", 1, 4, "found 'x' after the document, expected its end"),
    ("\"\\ud800\"", 1, 2, "the escape of a surrogate has no partner"),
    ("\"a\u{1}\"", 1, 3, "found control character 1 in a string, where control characters must be escaped"),
    ("1e999", 1, 1, "the number is beyond the range of a double"),
    ("\"abc", 1, 1, "the string is not closed"),
  ]) func `name the place and the fault of malformed text`(text: String, line: Int, column: Int, message: String) {
    let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    #expect(error?.line == line)
    #expect(error?.column == column)
    #expect(error?.message == message)
  }

  @Test func `nested deeper than allowed are an error and not a crash`() {
    let deep = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
    #expect(throws: JSONError.self) { try JSONValue(parsing: deep) }
    #expect(throws: JSONError.self) { try JSONValue(parsing: "[[[]]]", maximumDepth: 2) }
    #expect(throws: Never.self) { try JSONValue(parsing: "[[{}]]", maximumDepth: 3) }
  }

  @Test func `tell canonically equivalent texts apart`() throws {
    #expect(JSONValue.string("é") != .string("e\u{301}"))
    let object = try JSONValue(parsing: "{\"é\": 1, \"e\u{301}\": 2}")
    #expect(object["é"] == 1)
    #expect(object["e\u{301}"] == 2)
  }

  @Test(arguments: ["18446744073709551616", "-9223372036854775809", "123456789012345678901234567890"])
  func `keep every digit of integers beyond 64 bits`(digits: String) throws {
    let value = try JSONValue(parsing: digits)
    #expect(value == .bigInteger(digits) && value.serialized() == digits && value.wholeNumber == nil)
  }

  @Test func `tell numbers from booleans`() throws {
    #expect(JSONValue.bool(true).wholeNumber == nil && JSONValue.bool(false).double == nil)
    #expect(JSONValue.integer(1).wholeNumber == 1 && JSONValue.number(1).wholeNumber == 1)
    #expect(JSONValue.number(1.5).wholeNumber == nil && JSONValue.string("1").double == nil)
  }

  @Test func `keep the order of keys in large objects, the last of equal keys counting`() throws {
    let text = "{" + (0..<300).map { "\"k\($0 % 200)\": \($0)" }.joined(separator: ",") + "}"
    guard case .object(let object) = try JSONValue(parsing: text) else {
      Issue.record("not an object")
      return
    }
    #expect(object.keys == (0..<200).map { "k\($0)" })
    #expect(object["k5"] == 205)
    #expect(object["k150"] == 150)
    #expect(object["k200"] == nil)
  }

  @Test func `refuse invalid UTF-8`() {
    for bytes in [[0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0xC3]] as [[UInt8]] {
      #expect(throws: JSONError.self) { try JSONValue(parsing: bytes) }
    }
  }

  @Test func `survive thousands of random mutations`() throws {
    let seeds = try Self.documents().compactMap { $0["text"]?.string }
    var random = Mutator(seed: 1)
    for _ in 0..<5000 {
      let bytes = random.mutated(
        Array((seeds.randomElement(using: &random.generator) ?? "").utf8), among: "[]{}\",:\\ue-+.0")
      guard let value = try? JSONValue(parsing: bytes) else { continue }
      #expect(try JSONValue(parsing: value.serialized()) == value)
    }
  }
}
