internal import JSON
internal import Tokenization

/// Decides whether a constant of a schema belongs to other parts of the same schema: `enum` beside `minimum`, the
/// alternatives of a `oneOf`.
struct SchemaValidator {
  var document: SchemaDocument
  /// Automata of patterns over plain UTF-8.
  private var patterns: [String: ByteAutomaton?] = [:]
  /// The values of a part's `const` and `enum`.
  private var constants: [Int: Set<CanonicalValue>] = [:]
  private let budget: WorkBudget

  private static let maximumDepth = 200

  init(_ document: SchemaDocument, budget: WorkBudget) {
    self.document = document
    self.budget = budget
  }

  /// Whether `value` is valid for the part of this number.
  ///
  /// - Throws: `ConstraintError` where the schema is malformed or the question too deep.
  mutating func isValid(_ value: JSONValue, for part: Int, depth: Int = 0) throws(ConstraintError) -> Bool {
    let (schema, pointer) = (document.parts[part].value, document.parts[part].pointer)
    guard budget.spend(SchemaSteps.perStep) else { throw SchemaSteps.exhausted(at: pointer) }
    guard depth < Self.maximumDepth else {
      throw ConstraintError(path: pointer, message: "compares constants with schemas nested too deep")
    }
    if case .bool(let verdict) = schema { return verdict }
    let below = depth + 1
    if let reference = schema["$ref"]?.string {
      let target = try document.resolve(reference, from: pointer)
      guard try isValid(value, for: target, depth: below) else { return false }
    }
    for (name, least, most) in [("allOf", Int.max, Int.max), ("anyOf", 1, Int.max), ("oneOf", 1, 1)] {
      guard let branches = schema[name]?.array else { continue }
      var count = 0
      for (index, branch) in branches.enumerated() {
        let number = document.number(of: branch, at: pointer + "/\(name)/\(index)")
        if try isValid(value, for: number, depth: below) { count += 1 }
      }
      guard count >= min(least, branches.count), count <= most else { return false }
    }
    if SchemaSupport.matchesNothing(schema) { return false }
    if let constants = listed(part, schema), !constants.contains(CanonicalValue(value)) { return false }
    if let types = try SchemaTypes(schema, at: pointer), !types.allows(value) { return false }
    switch value {
    case .integer, .bigInteger, .number: return try isValid(value.double ?? .nan, schema, pointer)
    case .string(let text): return try isValid(text, schema, pointer)
    case .array(let elements): return try isValid(elements, schema, pointer, depth: below)
    case .object(let object): return try isValid(object, schema, pointer, depth: below)
    case .null, .bool: return true
    }
  }

  /// The values that `const` and `enum` of a part leave; `nil` without either.
  private mutating func listed(_ part: Int, _ schema: JSONValue) -> Set<CanonicalValue>? {
    if let known = constants[part] { return known }
    var found = schema["enum"]?.array.map { Set($0.map(CanonicalValue.init)) }
    if let constant = schema["const"] {
      let only: Set = [CanonicalValue(constant)]
      found = found?.intersection(only) ?? only
    }
    if let found { constants[part] = found }
    return found
  }

  private func isValid(_ number: Double, _ schema: JSONValue, _ pointer: String) throws(ConstraintError) -> Bool {
    guard try NumberRange(schema, at: pointer).contains(number) else { return false }
    return try MultipleOf(schema, at: pointer)?.contains(number) ?? true
  }

  private mutating func isValid(
    _ text: String, _ schema: JSONValue, _ pointer: String
  ) throws(ConstraintError) -> Bool {
    let (minimum, maximum) = try SchemaBounds.read("minLength", "maxLength", of: schema, at: pointer)
    let length = text.unicodeScalars.count
    guard length >= minimum, length <= maximum ?? .max else { return false }
    guard let pattern = schema["pattern"]?.string else { return true }
    return try matches(text, pattern, at: pointer + "/pattern")
  }

  /// Whether the regular expression `pattern` finds a match in `text`.
  mutating func matches(_ text: String, _ pattern: String, at pointer: String) throws(ConstraintError) -> Bool {
    if patterns[pattern] == nil {
      do {
        let language = try SchemaRegex.search(pattern) { BytePattern.scalars($0) }
        patterns[pattern] = try SchemaSteps.withWork(budget) { work throws(ByteAutomaton.TooLarge) in
          try language.automaton(work: &work)
        }
      } catch let error as SchemaRegex.Failure {
        throw ConstraintError(path: pointer, message: "the pattern \(error.message)")
      } catch {
        throw ConstraintError(path: pointer, message: "the pattern is too complex")
      }
    }
    return (patterns[pattern] ?? nil)?.matches(text.utf8) ?? false
  }

  private mutating func isValid(
    _ elements: [JSONValue], _ schema: JSONValue, _ pointer: String, depth: Int
  ) throws(ConstraintError) -> Bool {
    let (minimum, maximum) = try SchemaBounds.read("minItems", "maxItems", of: schema, at: pointer)
    guard elements.count >= minimum, elements.count <= maximum ?? .max else { return false }
    if schema["uniqueItems"] == .bool(true) {
      guard Set(elements.map(CanonicalValue.init)).count == elements.count else { return false }
    }
    let items = SchemaItems(schema, at: pointer, in: &document)
    for (index, element) in elements.enumerated() {
      guard let part = index < items.prefix.count ? items.prefix[index] : items.rest else { continue }
      guard try isValid(element, for: part, depth: depth) else { return false }
    }
    return true
  }

  private mutating func isValid(
    _ object: JSONObject, _ schema: JSONValue, _ pointer: String, depth: Int
  ) throws(ConstraintError) -> Bool {
    let (minimum, maximum) = try SchemaBounds.read("minProperties", "maxProperties", of: schema, at: pointer)
    guard object.count >= minimum, object.count <= maximum ?? .max else { return false }
    for name in schema["required"]?.array ?? [] {
      if let name = name.string, object[name] == nil { return false }
    }
    for (name, value) in object.pairs {
      if let names = schema["propertyNames"] {
        let part = document.number(of: names, at: pointer + "/propertyNames")
        guard try isValid(.string(name), for: part, depth: depth) else { return false }
      }
      for part in try propertyParts(name, in: schema, at: pointer) {
        guard try isValid(value, for: part, depth: depth) else { return false }
      }
    }
    return true
  }

  /// The schemas that one schema sets for a property.
  mutating func propertyParts(
    _ name: String, in schema: JSONValue, at pointer: String
  ) throws(ConstraintError) -> [Int] {
    guard budget.spend(SchemaSteps.perStep) else { throw SchemaSteps.exhausted(at: pointer) }
    var parts: [Int] = []
    if let property = schema["properties"]?[name] {
      parts.append(document.number(of: property, at: pointer + "/properties" + name.pointerStep))
    }
    for (pattern, property) in SchemaSupport.patternProperties(of: schema) {
      let place = pointer + "/patternProperties" + pattern.pointerStep
      guard budget.spend(SchemaSteps.perStep) else { throw SchemaSteps.exhausted(at: place) }
      if try matches(name, pattern, at: place) { parts.append(document.number(of: property, at: place)) }
    }
    if parts.isEmpty, let additional = schema["additionalProperties"] {
      parts.append(document.number(of: additional, at: pointer + "/additionalProperties"))
    }
    return parts
  }
}
