package import Foundation
package import JSON
internal import Yams

extension JSONValue {
  /// Reads a node of YAML; plain scalars mean what YAML 1.1 says, as Kubernetes' own reader takes them.
  ///
  /// - Throws: `DeploymentError` for keys that are not texts, keys given twice, and nesting deeper than 100.
  init(_ node: Node, depth: Int = 0) throws(DeploymentError) {
    guard depth <= 100 else { throw DeploymentError("is nested deeper than 100 levels") }
    switch node {
    case .scalar(let scalar): self = Self.scalar(scalar, node)
    case .sequence(let sequence):
      var values: [JSONValue] = []
      for element in sequence { values.append(try JSONValue(element, depth: depth + 1)) }
      self = .array(values)
    case .mapping(let mapping):
      var object = JSONObject()
      for (key, value) in mapping {
        guard let name = key.scalar?.string else { throw DeploymentError("has a key that is not a string") }
        guard object[name] == nil else { throw DeploymentError("has the key '\(name)' twice") }
        object[name] = try JSONValue(value, depth: depth + 1)
      }
      self = .object(object)
    case .alias: throw DeploymentError("has an alias; expected plain values")
    }
  }

  private static func scalar(_ scalar: Node.Scalar, _ node: Node) -> JSONValue {
    switch scalar.style {
    case .any, .plain: break
    default: return .string(scalar.string)
    }
    switch Resolver.default.resolveTag(of: node) {
    case .null: return .null
    case .bool: return node.bool.map(JSONValue.bool) ?? .string(scalar.string)
    case .int: return node.int.map(JSONValue.integer) ?? .string(scalar.string)
    case .float: return node.float.map(JSONValue.number) ?? .string(scalar.string)
    default: return .string(scalar.string)
    }
  }

  /// Reads JSON.
  package static func json(_ data: Data, name: String) throws(DeploymentError) -> JSONValue {
    do { return try JSONValue(parsing: [UInt8](data)) } catch { throw DeploymentError("'\(name)' is not JSON") }
  }

  /// The value at a path of keys.
  package subscript(first: String, second: String, rest: String...) -> JSONValue? {
    rest.reduce(self[first]?[second]) { value, key in value?[key] }
  }

  /// The elements of an array; none of anything else.
  package var elements: [JSONValue] { array ?? [] }
  package var int: Int? { if case .integer(let number) = self { number } else { nil } }

  /// As found, for messages; long texts are cut.
  package var shown: String {
    switch self {
    case .null, .bool, .integer, .bigInteger: serialized()
    case .number(let number): "\(number)"
    case .string(let text): text.count > 60 ? "'\(text.prefix(60))…'" : "'\(text)'"
    case .array(let values): "a list of \(values.count)"
    case .object(let values): "an object of \(values.count)"
    }
  }

  /// The type's name in JSON schemas.
  var schemaType: String {
    switch self {
    case .null: "null"
    case .bool: "boolean"
    case .integer, .bigInteger: "integer"
    case .number: "number"
    case .string: "string"
    case .array: "array"
    case .object: "object"
    }
  }
}
