internal import JSON
internal import Tokenization

/// The files that are part of the program.
struct EmbeddedPages: Sendable {
  /// The page at `/`.
  let playground: String
  /// The API's description, as JSON.
  let description: JSONValue

  /// - Parameters:
  ///   - modelNames: the names that requests may ask for.
  ///   - vocabularySize: number of token ids.
  /// - Throws: `YAMLError` when the description is damaged.
  init(modelNames: [String], vocabularySize: Int) throws {
    playground = String(decoding: PackageResources.playground_html, as: UTF8.self)
    let yaml = String(decoding: PackageResources.openapi_yaml, as: UTF8.self)
    var description = try JSONValue.documents(yaml: yaml).first ?? .null
    let names = JSONValue.array(modelNames.map(JSONValue.string) + [.null])
    // What depends on the model that is served.
    description = Self.setting(names, at: ["components", "schemas", "ModelName", "enum"], in: description)
    self.description = Self.setting(
      .integer(vocabularySize - 1), at: ["components", "schemas", "TokenID", "maximum"], in: description)
  }

  /// `value` with `member` at a path of keys.
  private static func setting(_ member: JSONValue, at path: some Collection<String>, in value: JSONValue) -> JSONValue {
    guard let key = path.first, case .object(var object) = value else { return member }
    object[key] = setting(member, at: path.dropFirst(), in: object[key] ?? .object(JSONObject()))
    return .object(object)
  }
}
