internal import Tokenization

/// Decides whether a constant of a schema belongs to other parts of the same schema: `enum` beside `minimum`, the
/// alternatives of a `oneOf`.
struct SchemaValidator {
  var document: SchemaDocument
  /// Automata of patterns over plain UTF-8.
  private var patterns: [String: ByteAutomaton?] = [:]
  private var steps = 0

  private static let maximumSteps = 2_000_000
  private static let maximumDepth = 200

  init(_ document: SchemaDocument) { self.document = document }

  /// Whether `value` is valid for the part of this number.
  ///
  /// - Throws: `ConstraintError` where the schema is malformed or the question too deep.
  mutating func isValid(_ value: JSONValue, for part: Int, depth: Int = 0) throws(ConstraintError) -> Bool {
    let (schema, pointer) = (document.parts[part].value, document.parts[part].pointer)
    steps += 1
    guard depth < Self.maximumDepth, steps < Self.maximumSteps else {
      throw ConstraintError(path: pointer, message: "compares constants with schemas too deep or too many")
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
    if let constant = schema["const"], !constant.isSame(as: value) { return false }
    if let constants = schema["enum"]?.array, !constants.contains(where: { $0.isSame(as: value) }) { return false }
    if let types = try SchemaTypes(schema, at: pointer), !types.allows(value) { return false }
    switch value {
    case .integer, .bigInteger, .number: return try isValid(value.double ?? .nan, schema, pointer)
    case .string(let text): return try isValid(text, schema, pointer)
    case .array(let elements): return try isValid(elements, schema, pointer, depth: below)
    case .object(let object): return try isValid(object, schema, pointer, depth: below)
    case .null, .bool: return true
    }
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
        var work = ByteAutomaton.Limit.work
        patterns[pattern] = try SchemaRegex.search(pattern) { BytePattern.scalars($0) }.automaton(work: &work)
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
      for (index, element) in elements.enumerated() {
        if elements[..<index].contains(where: { $0.isSame(as: element) }) { return false }
      }
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
    var parts: [Int] = []
    if let property = schema["properties"]?[name] {
      parts.append(document.number(of: property, at: pointer + "/properties" + name.pointerStep))
    }
    for (pattern, property) in SchemaSupport.patternProperties(of: schema) {
      let place = pointer + "/patternProperties" + pattern.pointerStep
      if try matches(name, pattern, at: place) { parts.append(document.number(of: property, at: place)) }
    }
    if parts.isEmpty, let additional = schema["additionalProperties"] {
      parts.append(document.number(of: additional, at: pointer + "/additionalProperties"))
    }
    return parts
  }
}

extension JSONValue {
  /// Whether both are one value to JSON Schema: numbers by value, objects whatever the order of their keys.
  func isSame(as other: JSONValue) -> Bool {
    switch (self, other) {
    case (.integer, .number), (.number, .integer), (.bigInteger, .number), (.number, .bigInteger):
      return self.double == other.double
    case (.array(let left), .array(let right)):
      return left.count == right.count && zip(left, right).allSatisfy { $0.isSame(as: $1) }
    case (.object(let left), .object(let right)):
      return left.count == right.count
        && left.pairs.allSatisfy { pair in right[pair.key].map { pair.value.isSame(as: $0) } ?? false }
    default: return self == other
    }
  }
}
