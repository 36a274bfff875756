import Decoding
import JSON
import StructuredOutput
import TestSupport
import Testing
import Tokenization

/// What schemas allow, what they do not, and what is refused.
@Suite struct SchemaTests {
  let writer: RandomWriter

  init() throws { writer = try RandomWriter() }

  private func accepts(_ text: String, _ constraint: GrammarConstraint) -> Bool {
    var constraint = constraint
    return constraint.advance(byText: text) && constraint.isComplete
  }

  @Test("a schema takes the texts that belong to it and no others", arguments: SchemaSample.all)
  func belongs(sample: SchemaSample) throws {
    let constraint = try writer.compiler.jsonSchema(sample.schema)
    let validator = PlainValidator(root: try JSONValue(parsing: sample.schema))
    for text in sample.accepted {
      #expect(accepts(text, constraint), "\(text)")
      #expect(validator.isValid(try JSONValue(parsing: text)), "\(text)")
    }
    for text in sample.rejected { #expect(!accepts(text, constraint), "\(text)") }
  }

  @Test("whatever a model writes under the mask is valid once it has ended", arguments: SchemaSample.all)
  func writesValidText(sample: SchemaSample) throws {
    let constraint = try writer.compiler.jsonSchema(sample.schema)
    let validator = PlainValidator(root: try JSONValue(parsing: sample.schema))
    var finished = 0
    for seed in 0..<12 {
      guard let text = try writer.write(constraint, seed: UInt64(seed)) else { continue }
      finished += 1
      #expect(validator.isValid(try JSONValue(parsing: text)), "\(text)")
    }
    #expect(finished > 0)
  }

  @Test(
    "what cannot be kept to is refused with its path",
    arguments: [
      (#"{"type":"object","properties":{"a":{"type":"array","uniqueItems":true}}}"#, "/properties/a/uniqueItems"),
      (#"{"properties":{"x/y":{"multipleOf":-3}}}"#, "/properties/x~1y/multipleOf"),
      (#"{"type":"integer","multipleOf":1001}"#, "/multipleOf"),
      (#"{"type":"array","items":{"enum":[1,2,3,4,5,6,7,8,9,10,11]},"uniqueItems":true}"#, "/uniqueItems"),
      (#"{"not":{"type":"string"}}"#, "/not"),
      (#"{"items":{"if":{"type":"string"},"then":{"const":"x"}}}"#, "/items/if"), (#"{"if":true,"then":false}"#, "/if"),
      (#"{"$ref":"http://example.com/x"}"#, "/$ref"),
      (##"{"$ref":"#/$defs/missing"}"##, "/$ref"),
      (#"{"type":"text"}"#, "/type"),
      (#"{"type":"string","pattern":"(?=a)b"}"#, "/pattern"),
      (#"{"type":"string","pattern":"("}"#, "/pattern"),
      (#"{"type":"string","pattern":"^(a|b)*a(a|b){18}$"}"#, "/pattern"),
      (#"{"type":"string","pattern":"^(((a{1000}){1000}){1000})$"}"#, "/pattern"),
      (#"{"type":"string","minLength":-1}"#, "/minLength"),
      (#"{"anyOf":[]}"#, "/anyOf"),
      (#"{"oneOf":[{"type":"integer"},{"type":"number"}]}"#, "/oneOf"),
      // Shared by a place that tells its branches apart and by one that does not.
      (
        ##"{"$defs":{"u":{"oneOf":[{"properties":{"k":{"const":1}}},{"properties":{"k":{"const":2}}}]}},"type":"object","properties":{"x":{"type":"object","required":["k"],"allOf":[{"$ref":"#/$defs/u"}]},"y":{"type":"object","$ref":"#/$defs/u"}}}"##,
        "/$defs/u/oneOf"
      ),
      (#"{"type":"string","pattern":"^(?=a)b|c"}"#, "/pattern"),
      (#"{"patternProperties":{"^x\\b":{}}}"#, "/patternProperties/^x\\b"),
      (#"{"patternProperties":{"1":{},"2":{},"3":{},"4":{},"5":{}}}"#, "/patternProperties/5"),
      (#"{"propertyNames":{"contains":{}}}"#, "/propertyNames/contains"),
      (#"{"type":"object","properties":3}"#, "/properties"),
      (#"{"type":"integer","minimum":"1"}"#, "/minimum"),
      (#"{"properties":{"a":7}}"#, "/properties/a"),
    ])
  func refuses(schema: String, path: String) throws {
    let error = #expect(throws: ConstraintError.self) { try writer.compiler.jsonSchema(schema) }
    #expect(error?.path == path, "\(String(describing: error))")
  }

  @Test(
    "a schema that no finite text matches is refused",
    arguments: [
      "false", #"{"type":"integer","minimum":5,"maximum":4}"#, #"{"allOf":[{"type":"string"},{"type":"null"}]}"#,
      ##"{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}"##, ##"{"type":"string","enum":[1,2]}"##,
      ##"{"type":"array","minItems":3,"maxItems":2}"##,
      #"{"not":{}}"#, #"{"type":"integer","minimum":1,"maximum":4,"multipleOf":5}"#,
      #"{"type":"array","items":{"type":"boolean"},"uniqueItems":true,"minItems":3}"#,
      #"{"type":"object","properties":{"a":{}},"required":["a"],"propertyNames":{"maxLength":0}}"#, ##"{"$ref":"#"}"##,
      ##"{"anyOf":[{"$ref":"#"}]}"##,
    ])
  func refusesTheImpossible(schema: String) throws {
    #expect(throws: ConstraintError.self) { try writer.compiler.jsonSchema(schema) }
  }

  @Test("schemas of hostile size are served or refused, and neither takes long")
  func hostileSizes() throws {
    let names = (0..<2_000).map { "\"property\($0)\":{\"type\":\"string\"}" }.joined(separator: ",")
    let constants = (0..<5_000).map { "\"constant number \($0)\"" }.joined(separator: ",")
    let alternatives = (0..<300).map { "{\"type\":\"object\",\"properties\":{\"k\($0)\":{}}}" }.joined(separator: ",")
    let deep = String(repeating: #"{"type":"array","items":"#, count: 100) + "{}" + String(repeating: "}", count: 100)
    let chain = (0..<3_000).map { "\"d\($0)\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/d\($0 + 1)\"}}" }
      .joined(separator: ",")
    let served = [
      "{\"type\":\"object\",\"properties\":{\(names)}}", "{\"enum\":[\(constants)]}", "{\"anyOf\":[\(alternatives)]}",
      deep,
      "{\"$defs\":{\(chain),\"d3000\":{}},\"$ref\":\"#/$defs/d0\"}",
      #"{"type":"string","minLength":1000000000}"#, #"{"type":"string","maxLength":1000000000}"#,
      #"{"type":"array","items":{},"minItems":1000000000}"#, #"{"type":"integer","minimum":-1e300,"maximum":1e300}"#,
    ]
    for schema in served {
      var constraint = try writer.compiler.jsonSchema(schema)
      for _ in 0..<4 {
        let mask = try #require(constraint.mask)
        let token = (TokenID(0)..<8192).first { mask.contains($0) }
        constraint.advance(by: try #require(token))
      }
    }
    let combinations = (0..<12).map { _ in #"{"anyOf":[{"minimum":1},{"minimum":2},{"minimum":3}]}"# }
    #expect(throws: ConstraintError.self) {
      try writer.compiler.jsonSchema("{\"allOf\":[\(combinations.joined(separator: ","))]}")
    }
    let nested = String(repeating: #"{"anyOf":["#, count: 60) + "{}" + String(repeating: "]}", count: 60)
    _ = try writer.compiler.jsonSchema(nested)
  }

  @Test("a text that nests without end is turned back in time")
  func depthIsBounded() throws {
    var constraint = try writer.compiler.jsonObject()
    var depth = 0
    var isOpen = constraint.advance(byText: #"{"a":"#)
    while isOpen, depth < 1_000 {
      depth += 1
      var next = constraint
      isOpen = next.advance(byText: "[")
      if isOpen { constraint = next }
    }
    #expect((30..<128).contains(depth))
    let isClosed = constraint.advance(byText: String(repeating: "]", count: depth - 1) + "}")
    #expect(isClosed)
    #expect(constraint.isComplete)
  }

  @Test("white space and digits cannot go on for ever")
  func boundedFiller() throws {
    for (start, filler) in [
      ("{\n", " "), ("{\"a\": 1", "1"), ("{\"a\": 1.", "0"), ("{\"a\":", " "), ("{\"a\": 1e", "9"),
    ] {
      var constraint = try writer.compiler.jsonObject()
      let begins = constraint.advance(byText: start)
      let goesOn = constraint.advance(byText: String(repeating: filler, count: 64))
      #expect(begins && !goesOn, "\(start)")
    }
  }

  @Test("mutated schemas are compiled or refused, never more")
  func fuzz() throws {
    var generator = SeededGenerator(seed: 4)
    let sources = SchemaSample.all.map { Array($0.schema.utf8) }
    var compiled = 0
    for _ in 0..<1_500 {
      var bytes = sources.randomElement(using: &generator) ?? []
      let other = sources.randomElement(using: &generator) ?? []
      for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes.remove(at: place)
        case 1: bytes[place] = other.randomElement(using: &generator) ?? 0
        case 2:
          // A part of another schema in the place of a value.
          if let open = bytes[place...].firstIndex(of: UInt8(ascii: "{")), let close = Self.end(of: open, in: bytes) {
            bytes.replaceSubrange(open...close, with: other)
          }
        default:
          bytes.insert(contentsOf: other.prefix(Int.random(in: 1...20, using: &generator)), at: place)
        }
      }
      guard let constraint = try? writer.compiler.jsonSchema(String(decoding: bytes, as: UTF8.self)) else { continue }
      compiled += 1
      if compiled % 8 == 0 { _ = try writer.write(constraint, seed: 1, limit: 40) }
    }
    #expect(compiled > 300)
  }

  /// The brace that closes the one at `open`.
  private static func end(of open: Int, in bytes: [UInt8]) -> Int? {
    var depth = 0
    for place in open..<bytes.count {
      if bytes[place] == UInt8(ascii: "{") { depth += 1 }
      if bytes[place] == UInt8(ascii: "}") { depth -= 1 }
      if depth == 0 { return place }
    }
    return nil
  }
}
