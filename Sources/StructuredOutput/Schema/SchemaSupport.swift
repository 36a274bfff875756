internal import Tokenization

/// Which keywords are kept to, which may be passed over, and which are refused.
enum SchemaSupport {
  /// Keywords that restrict values in ways that the grammar cannot keep to.
  private static let refused = [
    "not", "if", "contains", "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedItems",
    "unevaluatedProperties", "patternProperties", "propertyNames", "$dynamicRef", "$recursiveRef", "extends",
    "disallow",
  ]

  /// Refuses a schema that says what is not supported, or says it malformed.
  static func check(_ schema: JSONValue, at pointer: String) throws(ConstraintError) {
    for name in refused {
      guard let value = schema[name], !isEmpty(value, name, in: schema) else { continue }
      throw ConstraintError(path: pointer + "/\(name)", message: "'\(name)' is not supported")
    }
    if let multiple = schema["multipleOf"], !multiple.isSame(as: 1) {
      throw ConstraintError(
        path: pointer + "/multipleOf", message: "is \(multiple.serialized()); only multiples of 1 are supported")
    }
    if schema["uniqueItems"] == .bool(true) {
      let (_, maximum) = try SchemaBounds.read("minItems", "maxItems", of: schema, at: pointer)
      guard let maximum, maximum <= 1 else {
        throw ConstraintError(path: pointer + "/uniqueItems", message: "'uniqueItems' is not supported")
      }
    }
    if let properties = schema["properties"] {
      guard case .object = properties else {
        throw ConstraintError(path: pointer + "/properties", message: "is \(properties.kind); expected an object")
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

  /// Whether the keyword says nothing after all.
  private static func isEmpty(_ value: JSONValue, _ name: String, in schema: JSONValue) -> Bool {
    switch name {
    case "not", "contains": return false
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
