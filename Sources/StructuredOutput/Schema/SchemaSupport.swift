internal import JSON

/// Which keywords are kept to, which may be passed over, and which are refused.
enum SchemaSupport {
  /// Keywords that restrict values in ways that the grammar cannot keep to.
  private static let refused = [
    "not", "if", "contains", "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedItems",
    "unevaluatedProperties", "$dynamicRef", "$recursiveRef", "extends", "disallow",
  ]

  /// Refuses a schema that says what is not supported, or says it malformed.
  static func check(_ schema: JSONValue, at pointer: String) throws(ConstraintError) {
    for name in refused {
      guard let value = schema[name], !isEmpty(value, name, in: schema) else { continue }
      throw ConstraintError(path: pointer + "/\(name)", message: "'\(name)' is not supported")
    }
    _ = try MultipleOf(schema, at: pointer)
    for name in ["properties", "patternProperties"] {
      guard let value = schema[name] else { continue }
      guard case .object = value else {
        throw ConstraintError(path: pointer + "/\(name)", message: "is \(value.kind); expected an object")
      }
    }
    for name in ["pattern", "format"] {
      guard let value = schema[name], value.string == nil else { continue }
      throw ConstraintError(path: pointer + "/\(name)", message: "is \(value.kind); expected a string")
    }
    if let prefix = schema["prefixItems"], prefix.array == nil {
      throw ConstraintError(path: pointer + "/prefixItems", message: "is \(prefix.kind); expected a list of schemas")
    }
    if !pointer.isEmpty, let name = schema["$id"]?.string, !name.hasPrefix("#") {
      throw ConstraintError(path: pointer + "/$id", message: "a schema with an address of its own is not supported")
    }
  }

  /// Whether a schema excludes every value: `{"not": {}}`, as generators write "never".
  static func matchesNothing(_ schema: JSONValue) -> Bool {
    switch schema["not"] {
    case .bool(true)?: true
    case .object(let excluded)?: excluded.isEmpty
    default: false
    }
  }

  /// Whether a schema says nothing of its own: it refers to other schemas, and beside that there are only remarks.
  static func onlyJoins(_ schema: JSONValue) -> Bool {
    guard case .object(let object) = schema, joining.contains(where: { object[$0] != nil }) else { return false }
    return object.keys.allSatisfy { joining.contains($0) || remarks.contains($0) }
  }

  private static let joining: Set = ["$ref", "allOf", "anyOf", "oneOf"]
  private static let remarks: Set = [
    "$defs", "definitions", "$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated",
    "readOnly", "writeOnly",
  ]

  /// Patterns of names, with the schemas of the properties that have such names.
  static func patternProperties(of schema: JSONValue) -> [(pattern: String, schema: JSONValue)] {
    guard case .object(let patterns)? = schema["patternProperties"] else { return [] }
    return patterns.pairs.map { ($0.key, $0.value) }
  }

  /// Whether the keyword says nothing after all.
  private static func isEmpty(_ value: JSONValue, _ name: String, in schema: JSONValue) -> Bool {
    switch name {
    case "not": return value == .bool(false) || matchesNothing(schema)
    case "contains": return false
    case "if": return schema["then"] == nil && schema["else"] == nil
    default: break
    }
    switch value {
    case .object(let object): return object.isEmpty
    case .bool(let verdict): return verdict
    default: return false
    }
  }
}
