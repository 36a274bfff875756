internal import JSON

/// The types that a schema allows.
struct SchemaTypes: OptionSet, Sendable, Hashable {
  let rawValue: Int

  static let null = SchemaTypes(rawValue: 1)
  static let boolean = SchemaTypes(rawValue: 2)
  static let object = SchemaTypes(rawValue: 4)
  static let array = SchemaTypes(rawValue: 8)
  static let string = SchemaTypes(rawValue: 16)
  static let integer = SchemaTypes(rawValue: 32)
  /// Numbers that are no integers; `number` has both.
  static let fractional = SchemaTypes(rawValue: 64)
  static let number: SchemaTypes = [integer, fractional]
  static let all: SchemaTypes = [null, boolean, object, array, string, number]

  init(rawValue: Int) { self.rawValue = rawValue }

  /// What `type` says; `nil` where it is missing.
  init?(_ schema: JSONValue, at pointer: String) throws(ConstraintError) {
    guard let type = schema["type"] else { return nil }
    var types: SchemaTypes = []
    for name in type.array ?? [type] {
      switch name.string {
      case "null": types.insert(.null)
      case "boolean": types.insert(.boolean)
      case "object": types.insert(.object)
      case "array": types.insert(.array)
      case "string": types.insert(.string)
      case "integer": types.insert(.integer)
      case "number": types.formUnion(.number)
      default:
        throw ConstraintError(
          path: pointer + "/type",
          message:
            "is \(name.serialized()); expected object, array, string, number, integer, boolean, null or a list of them"
        )
      }
    }
    self = types
  }

  func allows(_ value: JSONValue) -> Bool {
    switch value {
    case .null: contains(.null)
    case .bool: contains(.boolean)
    case .integer, .bigInteger: contains(.integer)
    case .number(let number): contains(number.rounded() == number ? .integer : .fractional)
    case .string: contains(.string)
    case .array: contains(.array)
    case .object: contains(.object)
    }
  }
}

/// Keywords that hold counts.
enum SchemaBounds {
  static func read(
    _ minimum: String, _ maximum: String, of schema: JSONValue, at pointer: String
  ) throws(ConstraintError) -> (minimum: Int, maximum: Int?) {
    (try count(minimum, of: schema, at: pointer) ?? 0, try count(maximum, of: schema, at: pointer))
  }

  private static func count(
    _ name: String, of schema: JSONValue, at pointer: String
  ) throws(ConstraintError) -> Int? {
    switch schema[name] {
    case nil: return nil
    case .integer(let value)? where value >= 0: return value
    case .number(let value)? where value >= 0 && value.rounded() == value: return Int(min(value, 1e15))
    case .bigInteger(let digits)? where !digits.hasPrefix("-"): return .max
    case let other?:
      throw ConstraintError(
        path: pointer + "/\(name)", message: "is \(other.serialized()); expected a whole number of 0 or more")
    }
  }
}

extension NumberRange {
  /// What `minimum` and its kin say.
  init(_ schema: JSONValue, at pointer: String) throws(ConstraintError) {
    func bound(_ name: String, exclusive: Bool) throws(ConstraintError) -> Bound? {
      switch schema[name] {
      case nil: return nil
      // Draft 4: whether `minimum` or `maximum` is outside.
      case .bool? where exclusive: return nil
      case let other?:
        if let value = other.double { return Bound(value: value, isExclusive: exclusive) }
        throw ConstraintError(path: pointer + "/\(name)", message: "is \(other.serialized()); expected a number")
      }
    }
    if let low = try bound("minimum", exclusive: false) {
      raise(to: Bound(value: low.value, isExclusive: schema["exclusiveMinimum"] == .bool(true)))
    }
    if let high = try bound("maximum", exclusive: false) {
      reduce(to: Bound(value: high.value, isExclusive: schema["exclusiveMaximum"] == .bool(true)))
    }
    if let low = try bound("exclusiveMinimum", exclusive: true) { raise(to: low) }
    if let high = try bound("exclusiveMaximum", exclusive: true) { reduce(to: high) }
  }
}

/// What a schema says about the elements of arrays.
struct SchemaItems {
  /// Schemas of the first elements.
  let prefix: [Int]
  /// Schema of the others; `nil` where it says nothing.
  let rest: Int?

  init(_ schema: JSONValue, at pointer: String, in document: inout SchemaDocument) {
    // Until 2019 a list of schemas stood under `items`, and the schema of the others under `additionalItems`.
    let (first, others) =
      schema["items"]?.array == nil ? ("prefixItems", "items") : ("items", "additionalItems")
    var prefix: [Int] = []
    for (index, element) in (schema[first]?.array ?? []).enumerated() {
      prefix.append(document.number(of: element, at: pointer + "/\(first)/\(index)"))
    }
    self.prefix = prefix
    rest = schema[others].map { document.number(of: $0, at: pointer + "/\(others)") }
  }
}
