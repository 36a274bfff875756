import Foundation
import JSON

/// A validator for tests, written apart from the library's: plain recursion over the keywords that tests use.
struct PlainValidator {
  let root: JSONValue

  func isValid(_ value: JSONValue) -> Bool { isValid(value, root, 0) }

  private func isValid(_ value: JSONValue, _ schema: JSONValue, _ depth: Int) -> Bool {
    guard case .object(let keywords) = schema else { return schema == .bool(true) }
    if depth > 60 { return true }
    return keywords.pairs.allSatisfy { holds($0.key, $0.value, for: value, in: schema, depth + 1) }
  }

  private func holds(
    _ keyword: String, _ argument: JSONValue, for value: JSONValue, in schema: JSONValue, _ depth: Int
  ) -> Bool {
    func count(_ schema: JSONValue) -> Int { (schema.array ?? []).count { isValid(value, $0, depth) } }
    switch (keyword, value) {
    case ("$ref", _): return target(of: argument.string ?? "").map { isValid(value, $0, depth) } ?? false
    case ("type", _): return (argument.array ?? [argument]).contains { Self.has(value, type: $0.string ?? "") }
    case ("const", _): return Self.equal(value, argument)
    case ("enum", _): return (argument.array ?? []).contains { Self.equal(value, $0) }
    case ("allOf", _): return count(argument) == argument.array?.count
    case ("anyOf", _): return count(argument) >= 1
    case ("oneOf", _): return count(argument) == 1
    case ("minLength", .string(let text)): return Double(text.unicodeScalars.count) >= Self.number(argument)
    case ("maxLength", .string(let text)): return Double(text.unicodeScalars.count) <= Self.number(argument)
    case ("pattern", .string(let text)):
      return Self.finds(argument.string ?? "", in: text)
    case ("minimum", .integer), ("minimum", .number): return Self.number(value) >= Self.number(argument)
    case ("maximum", .integer), ("maximum", .number): return Self.number(value) <= Self.number(argument)
    case ("exclusiveMinimum", .integer), ("exclusiveMinimum", .number):
      return Self.number(value) > Self.number(argument)
    case ("exclusiveMaximum", .integer), ("exclusiveMaximum", .number):
      return Self.number(value) < Self.number(argument)
    case ("minItems", .array(let elements)): return Double(elements.count) >= Self.number(argument)
    case ("maxItems", .array(let elements)): return Double(elements.count) <= Self.number(argument)
    case ("prefixItems", .array(let elements)):
      return zip(elements, argument.array ?? []).allSatisfy { isValid($0, $1, depth) }
    case ("items", .array(let elements)):
      let skipped = schema["prefixItems"]?.array?.count ?? 0
      return elements.dropFirst(skipped).allSatisfy { isValid($0, argument, depth) }
    case ("required", .object(let object)):
      return (argument.array ?? []).allSatisfy { object[$0.string ?? ""] != nil }
    case ("properties", .object(let object)):
      return object.pairs.allSatisfy { pair in argument[pair.key].map { isValid(pair.value, $0, depth) } ?? true }
    case ("additionalProperties", .object(let object)):
      return object.pairs.allSatisfy { pair in
        schema["properties"]?[pair.key] != nil || patterns(in: schema).contains { Self.finds($0.0, in: pair.key) }
          || isValid(pair.value, argument, depth)
      }
    case ("patternProperties", .object(let object)):
      return object.pairs.allSatisfy { pair in
        patterns(in: schema).allSatisfy { !Self.finds($0.0, in: pair.key) || isValid(pair.value, $0.1, depth) }
      }
    case ("propertyNames", .object(let object)):
      return object.keys.allSatisfy { isValid(.string($0), argument, depth) }
    case ("not", _): return !isValid(value, argument, depth)
    case ("multipleOf", .integer), ("multipleOf", .number):
      let quotient = Self.number(value) / Self.number(argument)
      return abs(quotient - quotient.rounded()) < 1e-6
    case ("uniqueItems", .array(let elements)):
      return elements.indices.allSatisfy { index in
        !elements[..<index].contains { Self.equal($0, elements[index]) }
      }
    case ("minProperties", .object(let object)): return Double(object.count) >= Self.number(argument)
    case ("maxProperties", .object(let object)): return Double(object.count) <= Self.number(argument)
    default: return true
    }
  }

  private func patterns(in schema: JSONValue) -> [(String, JSONValue)] {
    guard case .object(let patterns)? = schema["patternProperties"] else { return [] }
    return patterns.pairs.map { ($0.key, $0.value) }
  }

  private static func finds(_ pattern: String, in text: String) -> Bool {
    text.range(of: pattern, options: .regularExpression) != nil
  }

  private func target(of reference: String) -> JSONValue? {
    var value: JSONValue? = root
    for step in reference.split(separator: "/").dropFirst() {
      value = Int(step).flatMap { index in value?.array.map { $0[index] } } ?? value?[String(step)]
    }
    return value
  }

  private static func has(_ value: JSONValue, type: String) -> Bool {
    switch (type, value) {
    case ("null", .null), ("boolean", .bool), ("string", .string), ("array", .array), ("object", .object),
      ("integer", .integer), ("number", .integer), ("number", .number):
      true
    case ("integer", .number(let number)): number.rounded() == number
    default: false
    }
  }

  private static func number(_ value: JSONValue) -> Double {
    value.double ?? .nan
  }

  private static func equal(_ left: JSONValue, _ right: JSONValue) -> Bool {
    switch (left, right) {
    case (.integer, .number), (.number, .integer), (.bigInteger, .number), (.number, .bigInteger):
      return number(left) == number(right)
    case (.array(let left), .array(let right)):
      return left.count == right.count && zip(left, right).allSatisfy { equal($0, $1) }
    case (.object(let left), .object(let right)):
      return left.count == right.count
        && left.pairs.allSatisfy { pair in right[pair.key].map { equal(pair.value, $0) } ?? false }
    default: return left == right
    }
  }
}
