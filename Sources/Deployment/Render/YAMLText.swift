internal import Yams

/// Objects as YAML: keys sorted, long texts as blocks, so that two renderings of one plan are the same bytes.
package enum YAMLText {
  private static var encoder: YAMLEncoder {
    let encoder = YAMLEncoder()
    encoder.options.sortKeys = true
    encoder.options.width = -1
    encoder.options.newLineScalarStyle = .literal
    return encoder
  }

  /// One document.
  package static func encode(_ value: some Encodable) throws -> String { try encoder.encode(value) }

  /// Documents after one another.
  package static func join(_ documents: [String]) -> String { documents.joined(separator: "---\n") }

  /// The value as a tree that can be changed before it is written.
  static func node(_ value: some Encodable) throws -> Node {
    guard let node = try Yams.compose(yaml: try encode(value)) else {
      throw DeploymentError("an object is empty; expected fields")
    }
    return node
  }

  /// A tree as text, in the same style.
  static func text(_ node: Node) throws -> String {
    try Yams.serialize(node: node, width: -1, sortKeys: true)
  }
}
