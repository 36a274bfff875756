internal import Yams

/// Why a text is not YAML that JSON could say as well, as the end of a sentence about it.
package struct YAMLError: Error, CustomStringConvertible {
  package let description: String
}

extension JSONValue {
  /// The documents of a YAML text; plain scalars mean what YAML 1.1 says, as Kubernetes' own reader takes them.
  ///
  /// - Throws: `YAMLError` also for aliases, keys that are no strings, keys given twice, and nesting deeper than 100.
  package static func documents(yaml text: String) throws(YAMLError) -> [JSONValue] {
    let nodes: [Node]
    do { nodes = Array(try Yams.compose_all(yaml: text)) } catch {
      throw YAMLError(description: "is not YAML: \(error)")
    }
    var documents: [JSONValue] = []
    for node in nodes { documents.append(try JSONValue(node, depth: 0)) }
    return documents
  }

  private init(_ node: Node, depth: Int) throws(YAMLError) {
    guard depth <= 100 else { throw YAMLError(description: "is nested deeper than 100 levels") }
    switch node {
    case .scalar(let scalar): self = Self.plain(node, scalar) ?? .string(scalar.string)
    case .sequence(let sequence):
      var values: [JSONValue] = []
      for element in sequence { values.append(try JSONValue(element, depth: depth + 1)) }
      self = .array(values)
    case .mapping(let mapping):
      var object = JSONObject()
      for (key, value) in mapping {
        guard let name = key.scalar?.string else { throw YAMLError(description: "has a key that is not a string") }
        guard object[name] == nil else { throw YAMLError(description: "has the key '\(name)' twice") }
        object[name] = try JSONValue(value, depth: depth + 1)
      }
      self = .object(object)
    case .alias: throw YAMLError(description: "has an alias; expected plain values")
    }
  }

  /// What a scalar is unless it is a string, as which quoted ones count whatever they look like.
  private static func plain(_ node: Node, _ scalar: Node.Scalar) -> JSONValue? {
    guard [.any, .plain].contains(scalar.style) else { return nil }
    return switch Resolver.default.resolveTag(of: node) {
    case .null: .null
    case .bool: node.bool.map(JSONValue.bool)
    case .int: node.int.map(JSONValue.integer)
    case .float: node.float.map(JSONValue.number)
    default: nil
    }
  }
}
