package import Foundation
internal import Yams

/// A value of a YAML or JSON document.
package indirect enum Value: Sendable, Equatable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([Value])
  case object([String: Value])

  /// Reads a node; plain scalars mean what YAML 1.1 says, as Kubernetes' own reader takes them.
  ///
  /// - Throws: `DeploymentError` for keys that are not texts, keys given twice, and nesting deeper than 100.
  init(_ node: Node, depth: Int = 0) throws(DeploymentError) {
    guard depth <= 100 else { throw DeploymentError("is nested deeper than 100 levels") }
    switch node {
    case .scalar(let scalar): self = Self.scalar(scalar, node)
    case .sequence(let sequence):
      var values: [Value] = []
      for element in sequence { values.append(try Value(element, depth: depth + 1)) }
      self = .array(values)
    case .mapping(let mapping):
      var values: [String: Value] = [:]
      for (key, value) in mapping {
        guard let name = key.scalar?.string else { throw DeploymentError("has a key that is not a string") }
        guard values.updateValue(try Value(value, depth: depth + 1), forKey: name) == nil else {
          throw DeploymentError("has the key '\(name)' twice")
        }
      }
      self = .object(values)
    case .alias: throw DeploymentError("has an alias; expected plain values")
    }
  }

  private static func scalar(_ scalar: Node.Scalar, _ node: Node) -> Value {
    switch scalar.style {
    case .any, .plain: break
    default: return .string(scalar.string)
    }
    switch Resolver.default.resolveTag(of: node) {
    case .null: return .null
    case .bool: return node.bool.map(Value.bool) ?? .string(scalar.string)
    case .int: return node.int.map(Value.integer) ?? .string(scalar.string)
    case .float: return node.float.map(Value.number) ?? .string(scalar.string)
    default: return .string(scalar.string)
    }
  }

  /// Reads JSON.
  package static func json(_ data: Data, name: String) throws(DeploymentError) -> Value {
    do { return try JSONDecoder().decode(Value.self, from: data) } catch {
      throw DeploymentError("'\(name)' is not JSON")
    }
  }

  /// The value at a path of keys.
  package subscript(path: String...) -> Value? {
    path.reduce(Optional(self)) { value, key in value?.members?[key] }
  }

  package var members: [String: Value]? { if case .object(let members) = self { members } else { nil } }
  package var elements: [Value] { if case .array(let elements) = self { elements } else { [] } }
  package var text: String? { if case .string(let text) = self { text } else { nil } }
  package var int: Int? { if case .integer(let number) = self { number } else { nil } }
  package var truth: Bool? { if case .bool(let truth) = self { truth } else { nil } }

  /// As found, for messages; long texts are cut.
  package var shown: String {
    switch self {
    case .null: "null"
    case .bool(let truth): "\(truth)"
    case .integer(let number): "\(number)"
    case .number(let number): "\(number)"
    case .string(let text): text.count > 60 ? "'\(text.prefix(60))…'" : "'\(text)'"
    case .array(let values): "a list of \(values.count)"
    case .object(let values): "an object of \(values.count)"
    }
  }

  /// The type's name in JSON schemas.
  var typeName: String {
    switch self {
    case .null: "null"
    case .bool: "boolean"
    case .integer: "integer"
    case .number: "number"
    case .string: "string"
    case .array: "array"
    case .object: "object"
    }
  }
}

extension Value: Decodable {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let truth = try? container.decode(Bool.self) {
      self = .bool(truth)
    } else if let number = try? container.decode(Int.self) {
      self = .integer(number)
    } else if let number = try? container.decode(Double.self) {
      self = .number(number)
    } else if let text = try? container.decode(String.self) {
      self = .string(text)
    } else if let values = try? container.decode([Value].self) {
      self = .array(values)
    } else {
      self = .object(try container.decode([String: Value].self))
    }
  }
}
