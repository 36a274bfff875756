internal import JSON

/// What `tokenizer.json` says, read and checked: the parts of a BPE tokenizer, of bytes or of characters.
struct TokenizerFile {
  /// No vocabulary comes near this many ids; a larger one is a damaged file, and tables are indexed by id.
  static let idLimit = 1 << 22

  let file: String
  let normalizer: Normalizer
  let preTokenizer: PreTokenizer
  let postProcessor: PostProcessor
  let addedTokens: [AddedToken]
  private(set) var vocabulary: Vocabulary
  let model: BytePairModel
  let decodedStart: DecodedStart

  init(_ bytes: [UInt8], file: String) throws(TokenizerError) {
    self.file = file
    let (modelReader, whole) = try Self.read(bytes, file: file)
    let null = FilePart(value: .null, file: file, location: "")
    if let version = try whole["version"]?.string(), version != "1.0" {
      throw .unsupported(file: file, location: "version", found: "'\(version)'", supported: "'1.0'")
    }
    // An empty text matches nowhere; `tokenizers` leaves such a token out.
    addedTokens = try (whole["added_tokens"]?.elements() ?? []).map { part throws(TokenizerError) in
      try part.addedToken()
    }.filter { !$0.content.isEmpty }
    normalizer = try (whole["normalizer"] ?? null).normalizer()
    var preTokenizerReader = PreTokenizerReader()
    try preTokenizerReader.read(whole["pre_tokenizer"] ?? null)
    postProcessor = try (whole["post_processor"] ?? null).postProcessor()
    let decoder = try whole["decoder"]?.decoder()
    guard let modelReader else {
      throw .malformed(file: file, location: "model", found: "missing", expected: "a BPE model")
    }
    let pieces = try Self.pieces(decoder?.pieces, isByteLevel: preTokenizerReader.isByteLevel, file: file)
    let parts = try modelReader.finish(decoder: pieces, file: file)
    (vocabulary, model) = (parts.vocabulary, parts.model)
    decodedStart = decoder?.start ?? .whole
    var steps = preTokenizerReader.steps
    if case .texts = pieces, parts.splitsBeforeSpaces { steps.append(.beforeSpaces) }
    preTokenizer = PreTokenizer(steps: steps)
    for token in addedTokens { try vocabulary.add(token, decodedAs: decodedText(of: token), file: file) }
  }

  /// The decoder, which must fit the pre-tokenizer.
  private static func pieces(
    _ decoder: PieceDecoder?, isByteLevel: Bool, file: String
  ) throws(TokenizerError) -> PieceDecoder {
    switch decoder {
    case .byteLevel where isByteLevel: return .byteLevel
    case .byteLevel:
      throw .unsupported(
        file: file, location: "pre_tokenizer", found: "without a ByteLevel step beside the decoder ByteLevel",
        supported: "ByteLevel in both or neither")
    case .texts(let replacements, let readsBytes) where !isByteLevel:
      return .texts(replacements: replacements, readsBytes: readsBytes)
    case .texts, nil:
      throw .unsupported(
        file: file, location: "decoder", found: "without ByteLevel",
        supported: isByteLevel ? "ByteLevel" : "what the tokens' texts are made of")
    }
  }

  /// The model, which is large, and everything else as a tree.
  private static func read(
    _ bytes: [UInt8], file: String
  ) throws(TokenizerError) -> (BytePairModelReader?, FilePart) {
    var model: BytePairModelReader?
    var rest = JSONObject()
    do {
      var scanner = JSONScanner(bytes, skipsByteOrderMark: true)
      try scanner.beginObject()
      while let key = try scanner.nextKey() {
        if key == "model" {
          var reader = BytePairModelReader()
          try reader.read(&scanner, file: file)
          model = reader
        } else {
          rest[key] = try scanner.readValue()
        }
      }
      try scanner.expectEnd()
    } catch let error as TokenizerError {
      throw error
    } catch {
      throw .invalidJSON(file: file, reason: "\(error)")
    }
    return (model, FilePart(value: .object(rest), file: file, location: ""))
  }

  /// The text that decoding gives for an added token: a token that is looked for in normalized text is normalized itself.
  func decodedText(of token: AddedToken) -> String {
    token.isNormalized ? normalizer.normalized(token.content) : token.content
  }

  /// A number as an id.
  static func id(_ value: Int, location: String, file: String) throws(TokenizerError) -> TokenID {
    guard 0..<idLimit ~= value else {
      throw .malformed(file: file, location: location, found: "\(value)", expected: "an id from 0 to \(idLimit - 1)")
    }
    return TokenID(value)
  }
}

extension FilePart {
  /// - Parameter id: the id, if it is not a member of the object itself.
  func addedToken(id: TokenID? = nil) throws(TokenizerError) -> AddedToken {
    let (id, content) = (try self["id"]?.id() ?? id, try self["content"]?.string())
    guard let id, let content else {
      throw malformed(
        found: "without '\(content == nil ? "content" : "id")'", expected: "an added token with 'id' and 'content'")
    }
    let isSpecial = try self["special"]?.boolean() ?? false
    return AddedToken(
      id: id, content: content, isSpecial: isSpecial, isSingleWord: try self["single_word"]?.boolean() ?? false,
      stripsLeft: try self["lstrip"]?.boolean() ?? false, stripsRight: try self["rstrip"]?.boolean() ?? false,
      isNormalized: try self["normalized"]?.boolean() ?? !isSpecial)
  }
}
