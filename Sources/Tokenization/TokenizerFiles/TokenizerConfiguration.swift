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
    var scanner = try JSONScanner(bytes, file: file)
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      switch key {
      case "chat_template": chatTemplates = try Self.readChatTemplates(&scanner)
      case "bos_token": beginOfTextToken = try Self.readToken(&scanner)
      case "eos_token": endOfTextToken = try Self.readToken(&scanner)
      case "added_tokens_decoder": try readAddedTokens(&scanner)
      default: try scanner.skipValue()
      }
    }
    try scanner.expectEnd()
  }

  /// One template, or a list of named ones.
  private static func readChatTemplates(_ scanner: inout JSONScanner) throws(TokenizerError) -> [String: String] {
    if scanner.consumeNull() { return [:] }
    guard try scanner.peekKind() == .array else { return ["default": try scanner.readString()] }
    var templates: [String: String] = [:]
    try scanner.beginArray()
    while try scanner.nextElement() {
      var name = ""
      var template = ""
      try scanner.beginObject()
      while let key = try scanner.nextKey() {
        switch key {
        case "name": name = try scanner.readString()
        case "template": template = try scanner.readString()
        default: try scanner.skipValue()
        }
      }
      templates[name] = template
    }
    return templates
  }

  /// A token by its text: a string, or an object with `content`.
  private static func readToken(_ scanner: inout JSONScanner) throws(TokenizerError) -> String? {
    if scanner.consumeNull() { return nil }
    guard try scanner.peekKind() == .object else { return try scanner.readString() }
    var content: String?
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      if key == "content" { content = try scanner.readString() } else { try scanner.skipValue() }
    }
    return content
  }

  private mutating func readAddedTokens(_ scanner: inout JSONScanner) throws(TokenizerError) {
    if scanner.consumeNull() { return }
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      guard let id = Int(key), 0..<TokenizerFile.idLimit ~= id else {
        throw .malformed(
          file: scanner.file, location: "added_tokens_decoder", found: "the key '\(key)'",
          expected: "an id from 0 to \(TokenizerFile.idLimit - 1)")
      }
      addedTokens.append(
        try TokenizerFile.readAddedToken(&scanner, id: TokenID(id), location: "added_tokens_decoder.\(key)"))
    }
    addedTokens.sort { $0.id < $1.id }
  }
}
