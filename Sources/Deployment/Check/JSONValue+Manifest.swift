package import Foundation
package import JSON

extension JSONValue {
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
