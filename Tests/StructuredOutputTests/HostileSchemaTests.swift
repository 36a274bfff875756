import Decoding
import JSON
import StructuredOutput
import TestSupport
import Testing
import Tokenization

/// Schemas made to cost more than they say: what compiling them takes is counted, and bounded.
@Suite struct HostileSchemaTests {
  let writer: RandomWriter

  init() throws { writer = try RandomWriter() }

  /// Steps that compiling takes.
  private func steps(_ schema: JSONValue) throws -> Int {
    let budget = WorkBudget(steps: .max)
    _ = try writer.compiler.jsonSchema(schema, budget: budget)
    return budget.steps - budget.remaining
  }

  private static func accepts(_ text: String, _ constraint: GrammarConstraint) -> Bool {
    var constraint = constraint
    return constraint.advance(byText: text) && constraint.isComplete
  }

  /// `levels` definitions of which each is made of the next one, `copies` times, by `keyword`.
  private static func levels(_ levels: Int, _ keyword: String, copies: Int = 2, last: JSONValue) -> JSONValue {
    var definitions = JSONObject()
    for level in 0..<levels {
      let next: JSONValue = ["$ref": .string("#/$defs/d\(level + 1)")]
      definitions["d\(level)"] = .object(JSONObject([(keyword, .array(Array(repeating: next, count: copies)))]))
    }
    definitions["d\(levels)"] = last
    return ["$ref": "#/$defs/d0", "$defs": .object(definitions)]
  }

  @Test("references that meet again and again are followed once", arguments: ["allOf", "anyOf"])
  func sharedReferences(keyword: String) throws {
    let constraint = try writer.compiler.jsonSchema(
      Self.levels(45, keyword, last: ["type": "string"]), budget: WorkBudget(steps: 200_000))
    #expect(Self.accepts("\"a\"", constraint))
    let few = try steps(Self.levels(20, keyword, last: ["type": "string"]))
    let many = try steps(Self.levels(40, keyword, last: ["type": "string"]))
    #expect(many < 6 * few)
  }

  @Test("references that also lead back to where they began are followed once")
  func loops() throws {
    let last: JSONValue = ["anyOf": [["type": "string"], ["$ref": "#/$defs/d0"], ["$ref": "#/$defs/d20"]]]
    let constraint = try writer.compiler.jsonSchema(
      Self.levels(45, "allOf", last: last), budget: WorkBudget(steps: 500_000))
    #expect(Self.accepts("\"a\"", constraint))
  }

  /// Schemas of a size, by kind.
  private static let kinds: [(name: String, make: @Sendable (Int) -> JSONValue)] = [
    ("enum", { count in ["enum": .array((0..<count).map { .integer($0) })] }),
    (
      "enum in two parts",
      { count in
        let values = JSONValue.array((0..<count).map { .string("v\($0)") })
        return ["allOf": [["enum": values], ["enum": values]]]
      }
    ),
    ("required", { count in ["type": "object", "required": names(count), "properties": properties(count)] }),
    (
      "propertyNames",
      { count in
        ["type": "object", "properties": properties(count), "propertyNames": ["enum": names(count)]]
      }
    ),
    (
      "forbidden names",
      { count in
        ["type": "object", "properties": properties(count), "propertyNames": ["enum": ["n1"]]]
      }
    ),
    ("distinct constants", { count in ["type": "array", "enum": [[.array((0..<count).map { .integer($0) })]]] }),
  ]

  private static func names(_ count: Int) -> JSONValue { .array((0..<count).map { .string("n\($0)") }) }

  private static func properties(_ count: Int) -> JSONValue {
    .object(JSONObject((0..<count).map { ("n\($0)", ["type": "null"]) }))
  }

  @Test("twice as large a schema takes about twice the steps", arguments: kinds.indices)
  func growth(kind: Int) throws {
    let make = Self.kinds[kind].make
    let (small, large) = (try steps(make(1_000)), try steps(make(2_000)))
    #expect(large < 3 * small, "\(Self.kinds[kind].name): \(small), \(large)")
  }

  @Test("forty thousand constants, properties and names end within the budget of a request")
  func large() throws {
    for (name, make) in Self.kinds {
      let budget = WorkBudget(steps: ConstraintCompiler.defaultSteps)
      // Some are too large for a grammar, and are told so.
      do { _ = try writer.compiler.jsonSchema(make(40_000), budget: budget) } catch {
        #expect(!error.message.isEmpty, "\(name)")
      }
    }
  }

  @Test("five hundred alternatives that a constant tells apart take steps for each, not for each pair of them")
  func discriminatedUnion() throws {
    func union(_ count: Int) -> JSONValue {
      [
        "oneOf": .array(
          (0..<count).map { index in
            ["type": "object", "required": ["kind"], "properties": ["kind": ["const": .integer(index)]]]
          })
      ]
    }
    let (small, large) = (try steps(union(125)), try steps(union(500)))
    #expect(large < 6 * small, "\(small), \(large)")
    let twice: JSONValue = ["type": "object", "required": ["kind"], "properties": ["kind": ["const": 1]]]
    #expect(throws: ConstraintError.self) { try writer.compiler.jsonSchema(["oneOf": [twice, twice]]) }
  }

  @Test("a budget that is spent, or whose client has gone, ends the work with an error")
  func budgets() throws {
    let schema: JSONValue = ["enum": .array((0..<5_000).map { .integer($0) })]
    #expect(throws: ConstraintError.self) { try writer.compiler.jsonSchema(schema, budget: WorkBudget(steps: 5_000)) }
    let cancelled = WorkBudget(steps: .max)
    cancelled.cancel()
    #expect(throws: ConstraintError.self) { try writer.compiler.jsonSchema(schema, budget: cancelled) }
  }

  @Test("texts that can be read in twenty ways on each level are not followed in twenty to the power of the depth")
  func ambiguousRecursion() throws {
    let arrays = (1...20).map { most -> JSONValue in
      ["type": "array", "items": ["$ref": "#"], "maxItems": .integer(most)]
    }
    var constraint = try writer.compiler.jsonSchema(["anyOf": .array(arrays)])
    let text = String(repeating: "[", count: 14) + String(repeating: "], [[]", count: 6)
    for character in text {
      let isAllowed = constraint.advance(byText: String(character))
      #expect(isAllowed)
      #expect(constraint.configurationCount <= 100)
      #expect(constraint.mask?.isEmpty == false)
    }
    if let text = try writer.write(constraint, seed: 0) { #expect(!text.isEmpty) }
  }
}
