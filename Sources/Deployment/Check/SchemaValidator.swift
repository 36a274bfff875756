package import JSON

/// Compares values with the JSON schemas that Kubernetes publishes, and with those inside custom resource definitions.
///
/// It knows the keywords that occur there: `type`, `properties`, `required`, `additionalProperties`, `items`, `enum`,
/// `pattern`, bounds on numbers, lengths and counts, `oneOf`, `anyOf`, `allOf`, `$ref`, and Kubernetes' own
/// `x-kubernetes-int-or-string` and `x-kubernetes-preserve-unknown-fields`. CEL rules are not evaluated.
///
/// `StructuredOutput` has a validator for another purpose: it answers yes or no about constants of a schema that a client
/// sent, within a budget of steps, and refuses keywords that it cannot keep to. This one says where and why a manifest
/// differs from a schema that is trusted, and passes over what it does not know.
package struct SchemaValidator {
  /// A place that does not fit.
  package struct Mismatch: Sendable, Equatable {
    let path: String
    let found: String
    let expected: String
  }

  /// What `$ref` refers to, by its last part.
  let definitions: JSONObject
  /// Whether fields that a schema does not name are mistakes. A cluster drops them silently; here they are typing errors.
  let isStrict: Bool

  package init(definitions: JSONObject, isStrict: Bool) {
    self.definitions = definitions
    self.isStrict = isStrict
  }

  package func mismatches(of value: JSONValue, with schema: JSONValue) -> [Mismatch] { check(value, schema, "", 0) }

  private func check(_ value: JSONValue, _ schema: JSONValue, _ path: String, _ depth: Int) -> [Mismatch] {
    guard depth < 100 else { return [] }
    if let reference = schema["$ref"]?.string {
      guard let target = definitions[String(reference.split(separator: "/").last ?? "")] else {
        return [Mismatch(path: path, found: value.shown, expected: "the unknown definition \(reference)")]
      }
      return check(value, target, path, depth + 1)
    }
    if schema["x-kubernetes-int-or-string"]?.bool == true || schema["format"]?.string == "int-or-string" {
      return ["integer", "string", "null"].contains(value.schemaType)
        ? [] : [Mismatch(path: path, found: value.shown, expected: "an integer or a string")]
    }
    var found = checkType(value, schema, path)
    guard found.isEmpty else { return found }
    if let choices = schema["enum"]?.elements, value != .null, !choices.contains(value) {
      found.append(
        Mismatch(path: path, found: value.shown, expected: "one of \(choices.map(\.shown).joined(separator: ", "))"))
    }
    switch value {
    case .object(let members): found += checkObject(members, schema, path, depth)
    case .array(let values): found += checkArray(values, schema, path, depth)
    case .string(let text): found += checkText(text, schema, path)
    case .integer, .bigInteger, .number:
      found += bounds(value.double ?? .nan, nil, schema["minimum"], schema["maximum"], path)
    case .null, .bool: break
    }
    return found + checkCombinations(value, schema, path, depth)
  }

  private func checkType(_ value: JSONValue, _ schema: JSONValue, _ path: String) -> [Mismatch] {
    let types = schema["type"].map { type in type.string.map { [$0] } ?? type.elements.compactMap(\.string) } ?? []
    let fits =
      types.isEmpty || types.contains(value.schemaType) || (value.schemaType == "integer" && types.contains("number"))
      || (value == .null && schema["nullable"]?.bool == true)
    return fits
      ? []
      : [Mismatch(path: path, found: value.shown, expected: types.filter { $0 != "null" }.joined(separator: " or "))]
  }

  private func checkObject(
    _ members: JSONObject, _ schema: JSONValue, _ path: String, _ depth: Int
  ) -> [Mismatch] {
    let properties = schema["properties"]?.object
    var found: [Mismatch] = []
    for name in schema["required"]?.elements.compactMap(\.string) ?? [] where members[name] == nil {
      found.append(Mismatch(path: path, found: "no '\(name)'", expected: "the field '\(name)'"))
    }
    let others = schema["additionalProperties"]
    let keepsUnknown = schema["x-kubernetes-preserve-unknown-fields"]?.bool == true
    for (name, value) in members.pairs.sorted(by: { $0.key < $1.key }) {
      let inner = path.isEmpty ? name : "\(path).\(name)"
      if let schema = properties?[name] {
        found += check(value, schema, inner, depth + 1)
      } else if let others, others.object != nil {
        found += check(value, others, inner, depth + 1)
      } else if others?.bool == false || (isStrict && others == nil && !keepsUnknown && properties != nil) {
        found.append(
          Mismatch(
            path: inner, found: "the unknown field '\(name)'",
            expected: (properties?.keys ?? []).sorted().prefix(30).joined(separator: ", ")))
      }
    }
    found += bounds(Double(members.count), "fields", schema["minProperties"], schema["maxProperties"], path)
    return found
  }

  private func checkArray(_ values: [JSONValue], _ schema: JSONValue, _ path: String, _ depth: Int) -> [Mismatch] {
    var found = bounds(Double(values.count), "elements", schema["minItems"], schema["maxItems"], path)
    if let items = schema["items"], items.object != nil {
      for (index, value) in values.enumerated() { found += check(value, items, "\(path)[\(index)]", depth + 1) }
    }
    return found
  }

  private func checkText(_ text: String, _ schema: JSONValue, _ path: String) -> [Mismatch] {
    var found = bounds(Double(text.count), "characters", schema["minLength"], schema["maxLength"], path)
    // A pattern in a dialect that Swift does not read says nothing here.
    if let pattern = schema["pattern"]?.string, let regex = try? Regex(pattern), text.firstMatch(of: regex) == nil {
      found.append(Mismatch(path: path, found: "'\(text)'", expected: "the pattern \(pattern)"))
    }
    return found
  }

  private func bounds(
    _ number: Double, _ unit: String?, _ least: JSONValue?, _ most: JSONValue?, _ path: String
  ) -> [Mismatch] {
    let what = unit.map { " " + $0 } ?? ""
    if let least = least?.double, number < least {
      return [Mismatch(path: path, found: "\(number.short)\(what)", expected: "at least \(least.short)")]
    }
    if let most = most?.double, number > most {
      return [Mismatch(path: path, found: "\(number.short)\(what)", expected: "at most \(most.short)")]
    }
    return []
  }

  private func checkCombinations(
    _ value: JSONValue, _ schema: JSONValue, _ path: String, _ depth: Int
  ) -> [Mismatch] {
    var found = (schema["allOf"]?.elements ?? []).flatMap { check(value, $0, path, depth + 1) }
    for keyword in ["anyOf", "oneOf"] {
      let choices = schema[keyword]?.elements ?? []
      let fitting = choices.count { check(value, $0, path, depth + 1).isEmpty }
      if !choices.isEmpty, fitting == 0 || (keyword == "oneOf" && fitting > 1) {
        let how = keyword == "oneOf" ? "exactly one" : "one"
        found.append(Mismatch(path: path, found: value.shown, expected: "\(how) of \(choices.count) schemas"))
      }
    }
    return found
  }
}

extension Double {
  /// Without a fraction that is none.
  fileprivate var short: String { self == rounded() && abs(self) < 1e15 ? "\(Int(self))" : "\(self)" }
}
