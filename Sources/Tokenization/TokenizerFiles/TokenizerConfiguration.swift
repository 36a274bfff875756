internal import JSON

/// What `tokenizer_config.json` adds to `tokenizer.json`: the chat template, the names of the text's first and last token,
/// and tokens that were added later.
struct TokenizerConfiguration {
  /// Chat templates by name; one without a name is `default`.
  var chatTemplates: [String: String] = [:]
  var beginOfTextToken: String?
  var endOfTextToken: String?
  var addedTokens: [AddedToken] = []

  init() {}

  init(_ bytes: [UInt8], file: String) throws(TokenizerError) {
    let value: JSONValue
    do {
      var scanner = JSONScanner(bytes, skipsByteOrderMark: true)
      value = try scanner.readValue()
      try scanner.expectEnd()
    } catch { throw .invalidJSON(file: file, reason: "\(error)") }
    guard case .object = value else {
      throw .malformed(file: file, location: "the document", found: value.typeName, expected: "an object")
    }
    let whole = FilePart(value: value, file: file, location: "")
    chatTemplates = try whole["chat_template"].map(Self.chatTemplates) ?? [:]
    beginOfTextToken = try whole["bos_token"].flatMap(Self.token)
    endOfTextToken = try whole["eos_token"].flatMap(Self.token)
    for (key, part) in try whole["added_tokens_decoder"]?.members() ?? [] {
      guard let id = Int(key), 0..<TokenizerFile.idLimit ~= id else {
        throw .malformed(
          file: file, location: "added_tokens_decoder", found: "the key '\(key)'",
          expected: "an id from 0 to \(TokenizerFile.idLimit - 1)")
      }
      addedTokens.append(try part.addedToken(id: TokenID(id)))
    }
    addedTokens.sort { $0.id < $1.id }
  }

  /// One template, or a list of named ones.
  private static func chatTemplates(_ part: FilePart) throws(TokenizerError) -> [String: String] {
    guard case .array = part.value else { return ["default": try part.string()] }
    var templates: [String: String] = [:]
    for element in try part.elements() {
      templates[try element["name"]?.string() ?? ""] = try element["template"]?.string() ?? ""
    }
    return templates
  }

  /// A token by its text: a string, or an object with `content`.
  private static func token(_ part: FilePart) throws(TokenizerError) -> String? {
    guard case .object = part.value else { return try part.string() }
    return try part["content"]?.string()
  }
}
