internal import JSON
internal import Tokenization

/// Turns a JSON schema into a grammar of texts that are valid for it.
///
/// A value is described by a *conjunction*: the parts of the schema that all hold for it. `$ref` and `allOf` add parts,
/// `anyOf` and `oneOf` split a conjunction into alternatives; the parts that remain are merged keyword by keyword. A
/// conjunction gets one node however often it occurs, which is how recursive schemas become recursive grammars.
///
/// The texts are a subset of the valid ones, chosen so that models write them naturally: properties come in the
/// schema's order, and properties that the schema does not name come only where it allows them in so many words
/// (`additionalProperties`) or names none at all.
struct SchemaCompiler {
  var document: SchemaDocument
  var builder: GrammarBuilder
  var validator: SchemaValidator
  let json: JSONGrammar
  private var nodes: [[Int]: Int] = [:]
  private var mergedNodes: [[Int]: Int] = [:]
  private var pending: [(parts: [Int], node: Int)] = []
  var checked: Set<Int> = []
  let resolved = ResolvedParts()
  var facts = SchemaFacts()
  let budget: WorkBudget

  /// Most alternatives of one value.
  static let maximumAlternatives = 512

  /// The root of `schema`'s texts, in `builder`.
  ///
  /// - Parameters:
  ///   - pointer: where the schema stands in what the client sent; errors begin with it.
  ///   - budget: the steps that compiling may take.
  static func compile(
    _ schema: JSONValue, into builder: inout GrammarBuilder, at pointer: String = "", budget: WorkBudget
  ) throws -> Int {
    var compiler = try SchemaCompiler(schema, builder, budget)
    do {
      let root = try compiler.node(for: [0])
      try compiler.finish()
      builder = compiler.builder
      return root
    } catch let error as ConstraintError {
      throw ConstraintError(path: pointer + error.path, message: error.message)
    }
  }

  private init(_ schema: JSONValue, _ builder: GrammarBuilder, _ budget: WorkBudget) throws {
    document = SchemaDocument(schema)
    validator = SchemaValidator(document, budget: budget)
    self.budget = budget
    var builder = builder
    json = try JSONGrammar(&builder)
    self.builder = builder
  }

  /// The node of a conjunction, to be filled in by `finish`.
  mutating func node(for parts: [Int]) throws -> Int {
    let parts = Set(parts).sorted()
    if let known = nodes[parts] { return known }
    let node = try builder.reserve()
    nodes[parts] = node
    pending.append((parts, node))
    return node
  }

  /// Fills in the nodes one after the other: a list, as a schema chooses how deep they nest.
  private mutating func finish() throws {
    while let (parts, node) = pending.popLast() {
      var choices: [Int] = []
      for alternative in Set(try alternatives(of: parts)).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
        choices.append(try mergedNode(for: alternative))
      }
      builder.fill(node, with: try builder.add(.choice(choices)))
    }
  }

  private mutating func mergedNode(for parts: [Int]) throws -> Int {
    if parts.isEmpty { return json.value }
    if let known = mergedNodes[parts] { return known }
    let node = try merge(parts)
    mergedNodes[parts] = node
    return node
  }

  // MARK: What parts say together

  mutating func types(of parts: [Int]) throws(ConstraintError) -> SchemaTypes {
    var types = SchemaTypes.all
    for part in parts { types.formIntersection(try facts.types(of: part, document)) }
    return types
  }

  mutating func range(of parts: [Int]) throws(ConstraintError) -> NumberRange {
    var range = NumberRange()
    for part in parts {
      let own = try facts.range(of: part, document)
      if let lower = own.lower { range.raise(to: lower) }
      if let upper = own.upper { range.reduce(to: upper) }
    }
    return range
  }

  /// The values that `const` and `enum` leave; `nil` without either.
  mutating func constants(of parts: [Int]) throws(ConstraintError) -> [JSONValue]? {
    if let known = facts.constants[parts] { return known }
    let constants = try listedConstants(of: parts)
    facts.constants[parts] = .some(constants)
    return constants
  }

  private mutating func listedConstants(of parts: [Int]) throws(ConstraintError) -> [JSONValue]? {
    var constants: [JSONValue]?
    for part in parts {
      let (schema, pointer) = (document.parts[part].value, document.parts[part].pointer)
      if let constant = schema["const"] { constants = constants ?? [constant] }
      if let list = schema["enum"] {
        guard let list = list.array else {
          throw ConstraintError(path: pointer + "/enum", message: "is \(list.kind); expected a list of values")
        }
        constants = constants ?? list
      }
    }
    guard let constants else { return nil }
    var kept: [JSONValue] = []
    for constant in constants where try isValid(constant, for: parts) { kept.append(constant) }
    return kept
  }

  /// Whether a value keeps to the parts' own keywords.
  mutating func isValid(_ value: JSONValue, for parts: [Int]) throws(ConstraintError) -> Bool {
    try withValidator { validator throws(ConstraintError) in
      for part in parts where try !validator.isValid(value, for: part) { return false }
      return true
    }
  }

  func required(in parts: [Int]) throws(ConstraintError) -> [String] {
    var names: [String] = []
    for part in parts {
      try spend(1, at: part)
      guard let required = document.parts[part].value["required"] else { continue }
      guard let list = required.array, list.allSatisfy({ $0.string != nil }) else {
        // Draft 3 had a boolean here.
        throw ConstraintError(
          path: document.parts[part].pointer + "/required", message: "is \(required.kind); expected a list of names")
      }
      try spend(list.count / 16, at: part)
      names += list.compactMap(\.string)
    }
    return names
  }

  /// The schemas that a property must be valid for.
  mutating func propertyParts(_ name: String, in parts: [Int]) throws(ConstraintError) -> [Int] {
    try withValidator { validator throws(ConstraintError) in
      var found: [Int] = []
      for part in parts {
        let (schema, pointer) = (validator.document.parts[part].value, validator.document.parts[part].pointer)
        found += try validator.propertyParts(name, in: schema, at: pointer)
      }
      return found
    }
  }

  /// Takes steps from the budget.
  func spend(_ steps: Int, at part: Int) throws(ConstraintError) {
    guard budget.spend(SchemaSteps.perStep * steps) else {
      throw SchemaSteps.exhausted(at: document.parts[part].pointer)
    }
  }

  /// Calls `body` with the steps that an automaton may take.
  func withWork<Result>(
    _ body: (inout Int) throws(ByteAutomaton.TooLarge) -> Result
  ) throws(ByteAutomaton.TooLarge) -> Result {
    try SchemaSteps.withWork(budget, body)
  }

  /// Calls `body` with the validator, which numbers parts in the same document.
  private mutating func withValidator<Result>(
    _ body: (inout SchemaValidator) throws(ConstraintError) -> Result
  ) throws(ConstraintError) -> Result {
    swap(&validator.document, &document)
    defer { swap(&validator.document, &document) }
    return try body(&validator)
  }
}

extension JSONValue {
  /// What it is, for messages.
  var kind: String {
    if case .array(let elements) = self { elements.isEmpty ? "an empty list" : "a list" } else { typeName }
  }
}
