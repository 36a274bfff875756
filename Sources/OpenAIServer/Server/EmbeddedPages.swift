internal import Tokenization
internal import Yams

/// The files that are part of the program.
struct EmbeddedPages: Sendable {
  /// The page at `/`.
  let playground: String
  /// The API's description, as JSON.
  let description: JSONValue

  /// - Throws: an error of the YAML parser when the description is damaged.
  init() throws {
    playground = String(decoding: PackageResources.playground_html, as: UTF8.self)
    let yaml = String(decoding: PackageResources.openapi_yaml, as: UTF8.self)
    description = try Yams.compose(yaml: yaml).map(Self.json) ?? .null
  }

  private static func json(_ node: Node) -> JSONValue {
    switch node {
    case .mapping(let mapping):
      return .object(JSONObject(mapping.map { ($0.key.string ?? "", json($0.value)) }))
    case .sequence(let sequence): return .array(sequence.map(json))
    case .alias: return .null
    case .scalar(let scalar):
      // Quoted text is text, whatever it looks like.
      guard scalar.style == .plain || scalar.style == .any else { return .string(scalar.string) }
      if let value = node.int { return .integer(value) }
      if let value = node.float { return .number(value) }
      if let value = node.bool { return .bool(value) }
      if node.null != nil { return .null }
      return .string(scalar.string)
    }
  }
}
