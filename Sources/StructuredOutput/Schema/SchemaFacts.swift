internal import JSON

/// What single parts of a schema say, read once: comparing the alternatives of a `oneOf` asks for it again and again.
struct SchemaFacts {
  private var types: [Int: SchemaTypes] = [:]
  private var ranges: [Int: NumberRange] = [:]
  /// Constants of conjunctions.
  var constants: [[Int]: [JSONValue]?] = [:]
  /// Alternatives of a property in a conjunction.
  var properties: [Property: [[Int]]] = [:]

  struct Property: Hashable {
    let name: String
    let parts: [Int]
  }

  /// The types that a part allows.
  mutating func types(of part: Int, _ document: SchemaDocument) throws(ConstraintError) -> SchemaTypes {
    if let known = types[part] { return known }
    let (schema, pointer) = (document.parts[part].value, document.parts[part].pointer)
    var own = try SchemaTypes(schema, at: pointer) ?? .all
    if try MultipleOf(schema, at: pointer)?.isWhole == true { own.remove(.fractional) }
    types[part] = own
    return own
  }

  /// The bounds that a part sets on numbers.
  mutating func range(of part: Int, _ document: SchemaDocument) throws(ConstraintError) -> NumberRange {
    if let known = ranges[part] { return known }
    let own = try NumberRange(document.parts[part].value, at: document.parts[part].pointer)
    ranges[part] = own
    return own
  }
}
