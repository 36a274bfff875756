/// What `tokenizer.json` says, read and checked: the parts of a byte-level BPE tokenizer.
struct TokenizerFile {
  /// No vocabulary comes near this many ids; a larger one is a damaged file, and tables are indexed by id.
  static let idLimit = 1 << 22

  let file: String
  var normalizer = Normalizer.none
  var preTokenizer = PreTokenizer(steps: [])
  var postProcessor = PostProcessor()
  var addedTokens: [AddedToken] = []
  var vocabulary = Vocabulary()
  var model = BytePairModel(byteTokens: [], merges: MergeTable(capacity: 0), wholeWords: nil)

  init(_ bytes: [UInt8], file: String) throws(TokenizerError) {
    self.file = file
    var scanner = try JSONScanner(bytes, file: file)
    var modelReader: BytePairModelReader?
    var isByteLevel = false
    var hasByteLevelDecoder = false
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      switch key {
      case "version":
        let version = try scanner.readString()
        guard version == "1.0" else {
          throw .unsupported(file: file, location: "version", found: "'\(version)'", supported: "'1.0'")
        }
      case "added_tokens": addedTokens = try Self.readAddedTokens(&scanner)
      case "normalizer": normalizer = try NormalizerReader.read(&scanner)
      case "pre_tokenizer":
        var reader = PreTokenizerReader()
        try reader.read(&scanner, location: key)
        preTokenizer = PreTokenizer(steps: reader.steps)
        isByteLevel = reader.isByteLevel
      case "post_processor": postProcessor = try PostProcessorReader.read(&scanner, location: key)
      case "decoder": hasByteLevelDecoder = try DecoderReader.readsByteLevel(&scanner, location: key)
      case "model":
        var reader = BytePairModelReader()
        try reader.read(&scanner)
        modelReader = reader
      default: try scanner.skipValue()
      }
    }
    try scanner.expectEnd()
    guard let modelReader else { throw missing("model", expected: "a BPE model") }
    guard isByteLevel else {
      throw .unsupported(
        file: file, location: "pre_tokenizer", found: "without a ByteLevel step", supported: "byte-level BPE")
    }
    guard hasByteLevelDecoder else {
      throw .unsupported(file: file, location: "decoder", found: "without ByteLevel", supported: "ByteLevel")
    }
    (vocabulary, model) = try modelReader.finish(file: file)
    for token in addedTokens { try vocabulary.add(token, decodedAs: decodedText(of: token), file: file) }
  }

  /// The text that decoding gives for an added token: a token that is looked for in normalized text is normalized itself.
  func decodedText(of token: AddedToken) -> String {
    token.isNormalized ? normalizer.normalized(token.content) : token.content
  }

  private func missing(_ name: String, expected: String) -> TokenizerError {
    .malformed(file: file, location: name, found: "missing", expected: expected)
  }

  static func readAddedTokens(_ scanner: inout JSONScanner) throws(TokenizerError) -> [AddedToken] {
    var tokens: [AddedToken] = []
    if scanner.consumeNull() { return tokens }
    try scanner.beginArray()
    while try scanner.nextElement() {
      tokens.append(try readAddedToken(&scanner, id: nil, location: "added_tokens[\(tokens.count)]"))
    }
    // An empty text matches nowhere; `tokenizers` leaves such a token out.
    return tokens.filter { !$0.content.isEmpty }
  }

  /// - Parameter id: the id, if it is not a member of the object itself.
  static func readAddedToken(
    _ scanner: inout JSONScanner, id: TokenID?, location: String
  ) throws(TokenizerError) -> AddedToken {
    var token = AddedToken(id: id ?? -1, content: "")
    var hasContent = false
    var normalized: Bool?
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      switch key {
      case "id": token.id = try readID(&scanner, location: "\(location).id")
      case "content":
        token.content = try scanner.readString()
        hasContent = true
      case "special": token.isSpecial = try scanner.readBoolean()
      case "single_word": token.isSingleWord = try scanner.readBoolean()
      case "lstrip": token.stripsLeft = try scanner.readBoolean()
      case "rstrip": token.stripsRight = try scanner.readBoolean()
      case "normalized": normalized = try scanner.readBoolean()
      default: try scanner.skipValue()
      }
    }
    token.isNormalized = normalized ?? !token.isSpecial
    guard hasContent, token.id >= 0 else {
      throw .malformed(
        file: scanner.file, location: location, found: "without '\(hasContent ? "id" : "content")'",
        expected: "an added token with 'id' and 'content'")
    }
    return token
  }

  static func readID(_ scanner: inout JSONScanner, location: String) throws(TokenizerError) -> TokenID {
    let value = try scanner.readInteger()
    guard 0..<idLimit ~= value else {
      throw .malformed(
        file: scanner.file, location: location, found: "\(value)", expected: "an id from 0 to \(idLimit - 1)")
    }
    return TokenID(value)
  }
}
