internal import JSON
internal import Tokenization

/// The files that are part of the program.
struct EmbeddedPages: Sendable {
  /// A file as browsers get it.
  struct File: Sendable {
    let text: String
    let type: String

    init(_ bytes: [UInt8], type: String) {
      text = String(decoding: bytes, as: UTF8.self)
      self.type = "\(type); charset=utf-8"
    }
  }

  /// The page at `/`.
  let playground = File(PackageResources.playground_html, type: "text/html")
  /// What it is made of, by the names at `/page/`.
  let parts: [String: File]
  /// The API's description, as JSON.
  let description: JSONValue

  /// - Parameters:
  ///   - modelNames: the names that requests may ask for.
  ///   - vocabularySize: number of token ids.
  /// - Throws: `YAMLError` when the description is damaged.
  init(modelNames: [String], vocabularySize: Int) throws {
    parts = Self.scripts.mapValues { File($0, type: "text/javascript") }
      .merging(Self.styles.mapValues { File($0, type: "text/css") }) { first, _ in first }
    let yaml = String(decoding: PackageResources.openapi_yaml, as: UTF8.self)
    var description = try JSONValue.documents(yaml: yaml).first ?? .null
    let names = JSONValue.array(modelNames.map(JSONValue.string) + [.null])
    // What depends on the model that is served.
    description = Self.setting(names, at: ["components", "schemas", "ModelName", "enum"], in: description)
    self.description = Self.setting(
      .integer(vocabularySize - 1), at: ["components", "schemas", "TokenID", "maximum"], in: description)
  }

  private static var scripts: [String: [UInt8]] {
    [
      "answer.js": PackageResources.answer_js, "comparison.js": PackageResources.comparison_js,
      "conversations.js": PackageResources.conversations_js, "elements.js": PackageResources.elements_js,
      "figures.js": PackageResources.figures_js, "frame.js": PackageResources.frame_js,
      "inline.js": PackageResources.inline_js, "markdown.js": PackageResources.markdown_js,
      "page.js": PackageResources.page_js,
      "server.js": PackageResources.server_js, "settings.js": PackageResources.settings_js,
      "sidebar.js": PackageResources.sidebar_js, "text.js": PackageResources.text_js,
      "tokens.js": PackageResources.tokens_js, "turns.js": PackageResources.turns_js,
    ]
  }

  private static var styles: [String: [UInt8]] {
    ["page.css": PackageResources.page_css, "turns.css": PackageResources.turns_css]
  }

  /// `value` with `member` at a path of keys.
  private static func setting(_ member: JSONValue, at path: some Collection<String>, in value: JSONValue) -> JSONValue {
    guard let key = path.first, case .object(var object) = value else { return member }
    object[key] = setting(member, at: path.dropFirst(), in: object[key] ?? .object(JSONObject()))
    return .object(object)
  }
}
