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
  private var checked: Set<Int> = []
  /// Steps that automata may still take.
  var automatonWork = ByteAutomaton.Limit.work

  /// Most alternatives of one value.
  private static let maximumAlternatives = 512
  private static let maximumReferenceDepth = 100

  /// The root of `schema`'s texts, in `builder`.
  ///
  /// - Parameter pointer: where the schema stands in what the client sent; errors begin with it.
  static func compile(
    _ schema: JSONValue, into builder: inout GrammarBuilder, at pointer: String = ""
  ) throws -> Int {
    var compiler = try SchemaCompiler(schema, builder)
    do {
      let root = try compiler.node(for: [0])
      try compiler.finish()
      builder = compiler.builder
      return root
    } catch let error as ConstraintError {
      throw ConstraintError(path: pointer + error.path, message: error.message)
    }
  }

  private init(_ schema: JSONValue, _ builder: GrammarBuilder) throws {
    document = SchemaDocument(schema)
    validator = SchemaValidator(document)
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
      var alternatives: [[Int]] = [[]]
      let certain = try self.certain(parts)
      for part in parts {
        alternatives = try product(
          alternatives, try self.alternatives(of: part, beside: certain), at: document.parts[part].pointer)
      }
      var choices: [Int] = []
      for alternative in Set(alternatives.map { Set($0).sorted() }).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
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

  // MARK: Alternatives

  /// The part as a list of alternatives, each a list of parts whose own keywords hold together.
  ///
  /// - Parameter certain: what holds for the value besides, which may be what tells the alternatives of a `oneOf` apart.
  mutating func alternatives(of part: Int, beside certain: Set<Int> = []) throws(ConstraintError) -> [[Int]] {
    try alternatives(of: part, beside: certain.union(try self.certain([part])), within: [])
  }

  private mutating func alternatives(
    of part: Int, beside certain: Set<Int>, within: Set<Int>
  ) throws(ConstraintError) -> [[Int]] {
    let (schema, pointer) = (document.parts[part].value, document.parts[part].pointer)
    switch schema {
    case .bool(let verdict): return verdict ? [[]] : []
    case .object where SchemaSupport.matchesNothing(schema): return []
    case .object: break
    default:
      throw ConstraintError(path: pointer, message: "is \(schema.kind); a schema is an object, true or false")
    }
    // A part that is defined by itself alone matches no more than it does otherwise.
    guard !within.contains(part) else { return [] }
    guard within.count < Self.maximumReferenceDepth else {
      throw ConstraintError(
        path: pointer, message: "references lead more than \(Self.maximumReferenceDepth) schemas deep")
    }
    if checked.insert(part).inserted { try SchemaSupport.check(schema, at: pointer) }
    let within = within.union([part])
    var alternatives = [[part]]
    if let reference = schema["$ref"] {
      guard let reference = reference.string else {
        throw ConstraintError(path: pointer + "/$ref", message: "is \(reference.kind); expected a string")
      }
      let target = try document.resolve(reference, from: pointer)
      alternatives = try product(
        alternatives, try self.alternatives(of: target, beside: certain, within: within), at: pointer)
    }
    for branch in try branches("allOf", of: schema, at: pointer) ?? [] {
      alternatives = try product(
        alternatives, try self.alternatives(of: branch, beside: certain, within: within), at: pointer)
    }
    for name in ["anyOf", "oneOf"] {
      guard let branches = try branches(name, of: schema, at: pointer) else { continue }
      var options: [[[Int]]] = []
      for branch in branches {
        // What a branch says holds together with everything around it.
        let inner = certain.union(try self.certain([branch]))
        options.append(try self.alternatives(of: branch, beside: inner, within: within))
      }
      if name == "oneOf" { try checkDisjoint(options, beside: certain, at: pointer + "/oneOf") }
      alternatives = try product(alternatives, options.flatMap { $0 }, at: pointer)
    }
    return alternatives
  }

  /// The parts, and all that hold whenever they do: those that `$ref` and `allOf` add.
  private mutating func certain(_ parts: [Int]) throws(ConstraintError) -> Set<Int> {
    var found: Set<Int> = []
    var pending = parts
    while let part = pending.popLast() {
      guard found.count < Self.maximumReferenceDepth, case .object = document.parts[part].value,
        found.insert(part).inserted
      else { continue }
      let (schema, pointer) = (document.parts[part].value, document.parts[part].pointer)
      if let reference = schema["$ref"]?.string { pending.append(try document.resolve(reference, from: pointer)) }
      pending += try branches("allOf", of: schema, at: pointer) ?? []
    }
    return found
  }

  private mutating func branches(
    _ name: String, of schema: JSONValue, at pointer: String
  ) throws(ConstraintError) -> [Int]? {
    guard let value = schema[name] else { return nil }
    guard let schemas = value.array, !schemas.isEmpty else {
      throw ConstraintError(path: pointer + "/\(name)", message: "is \(value.kind); expected a list of schemas")
    }
    return schemas.enumerated().map { document.number(of: $1, at: pointer + "/\(name)/\($0)") }
  }

  private func product(
    _ left: [[Int]], _ right: [[Int]], at pointer: String
  ) throws(ConstraintError) -> [[Int]] {
    guard left.count * right.count <= Self.maximumAlternatives else {
      throw ConstraintError(
        path: pointer, message: "has more than \(Self.maximumAlternatives) combinations of alternatives")
    }
    return left.flatMap { first in right.map { first + $0 } }
  }

  // MARK: oneOf

  /// Makes sure that no value that is valid for the parts `certain` is valid for two branches of a `oneOf`.
  private mutating func checkDisjoint(
    _ options: [[[Int]]], beside certain: Set<Int>, at pointer: String
  ) throws(ConstraintError) {
    let common = certain.sorted()
    func all(_ parts: [Int]) -> [Int] { common + parts.filter { !certain.contains($0) } }
    for first in options.indices {
      for second in options.indices.dropFirst(first + 1) {
        for left in options[first] {
          for right in options[second] where try !areDisjoint(all(left), all(right), depth: 0) {
            throw ConstraintError(
              path: pointer,
              message:
                "a value could match alternatives \(first) and \(second) at once; make them differ by type or by a "
                + "required property with distinct constants, or use anyOf")
          }
        }
      }
    }
  }

  /// Whether it is certain that no value is valid for all parts of both lists.
  private mutating func areDisjoint(_ left: [Int], _ right: [Int], depth: Int) throws(ConstraintError) -> Bool {
    let (leftTypes, rightTypes) = (try types(of: left), try types(of: right))
    let common = leftTypes.intersection(rightTypes)
    if common.isEmpty { return true }
    for (own, others) in [(left, right), (right, left)] {
      guard let constants = try constants(of: own) else { continue }
      for constant in constants where try isValid(constant, for: others) { return false }
      return true
    }
    if common.isSubset(of: .number) {
      let (low, high) = (try range(of: left), try range(of: right))
      for (first, second) in [(low, high), (high, low)] {
        if let upper = first.upper, let lower = second.lower {
          if upper.value < lower.value { return true }
          if upper.value == lower.value, upper.isExclusive || lower.isExclusive { return true }
        }
      }
    }
    guard common == .object, depth < 3 else { return false }
    for (own, others) in [(left, right), (right, left)] {
      for name in try required(in: own) {
        let mine = try alternatives(ofProperty: name, in: own)
        let theirs = try alternatives(ofProperty: name, in: others)
        var isDistinct = true
        for first in mine {
          for second in theirs where isDistinct {
            isDistinct = try areDisjoint(first, second, depth: depth + 1)
          }
        }
        if isDistinct { return true }
      }
    }
    return false
  }

  /// What the parts say about a property, as alternatives; none when they forbid it.
  private mutating func alternatives(ofProperty name: String, in parts: [Int]) throws(ConstraintError) -> [[Int]] {
    var alternatives: [[Int]] = [[]]
    for part in try propertyParts(name, in: parts) {
      alternatives = try product(
        alternatives, try self.alternatives(of: part), at: document.parts[part].pointer)
    }
    return alternatives
  }

  // MARK: What parts say together

  func types(of parts: [Int]) throws(ConstraintError) -> SchemaTypes {
    var types = SchemaTypes.all
    for part in parts {
      let (schema, pointer) = (document.parts[part].value, document.parts[part].pointer)
      if let own = try SchemaTypes(schema, at: pointer) { types.formIntersection(own) }
      if try MultipleOf(schema, at: pointer)?.isWhole == true { types.remove(.fractional) }
    }
    return types
  }

  func range(of parts: [Int]) throws(ConstraintError) -> NumberRange {
    var range = NumberRange()
    for part in parts {
      let own = try NumberRange(document.parts[part].value, at: document.parts[part].pointer)
      if let lower = own.lower { range.raise(to: lower) }
      if let upper = own.upper { range.reduce(to: upper) }
    }
    return range
  }

  /// The values that `const` and `enum` leave; `nil` without either.
  mutating func constants(of parts: [Int]) throws(ConstraintError) -> [JSONValue]? {
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
      guard let required = document.parts[part].value["required"] else { continue }
      guard let list = required.array, list.allSatisfy({ $0.string != nil }) else {
        // Draft 3 had a truth value here.
        throw ConstraintError(
          path: document.parts[part].pointer + "/required", message: "is \(required.kind); expected a list of names")
      }
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
    switch self {
    case .null: "null"
    case .bool: "a truth value"
    case .integer, .bigInteger, .number: "a number"
    case .string: "a string"
    case .array(let elements): elements.isEmpty ? "an empty list" : "a list"
    case .object: "an object"
    }
  }
}
