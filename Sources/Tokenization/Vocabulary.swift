/// All tokens by id: their text as the tokenizer file has it, and the bytes that they stand for.
struct Vocabulary: Sendable {
  /// The texts, numbered as they were read.
  private(set) var texts: ByteStringTable
  /// The id of each text.
  private var ids: [TokenID] = []
  /// For each id the number of its text, −1 for an id that is not in use.
  private var textOfID: [Int32] = []
  /// Bytes of text `index`: `pool[ends[index]..<ends[index + 1]]`.
  private var pool: [UInt8] = []
  private var ends: [Int] = [0]
  private var specialTokens: Set<TokenID> = []
  /// Bytes of added tokens that decode to something else than their text.
  private var bytesApart: [TokenID: [UInt8]] = [:]
  /// Special tokens whose decoded text is left out on request.
  private var skippedTokens: Set<TokenID> = []

  /// How texts become bytes.
  private var decoder: PieceDecoder

  init(minimumCapacity: Int = 0, decoder: PieceDecoder = .byteLevel) {
    texts = ByteStringTable(minimumCapacity: minimumCapacity)
    self.decoder = decoder
  }

  /// Decodes the texts, those that are there and those to come, in another way.
  mutating func decode(by decoder: PieceDecoder) {
    self.decoder = decoder
    (pool, ends) = ([], [0])
    for index in 0..<texts.count { appendBytes(of: texts[index]) }
  }

  private mutating func appendBytes(of text: ArraySlice<UInt8>) {
    let start = pool.count
    decoder.appendBytes(of: text, to: &pool)
    ends.append(pool.count)
    mostBytes = max(mostBytes, pool.count - start)
    if case .texts = decoder { mostBytes = max(mostBytes, text.count) }
  }

  /// 1 + the largest id in use.
  var size: Int { textOfID.count }

  /// The number of tokens.
  var count: Int { ids.count }

  /// The most bytes of normalized text that a token stands for.
  private(set) var mostBytes = 0

  /// Adds a token of the model. Gives what is wrong with it, if anything.
  mutating func insert(_ text: ArraySlice<UInt8>, id: TokenID) -> String? {
    let (index, isNew) = texts.insert(text)
    guard isNew else { return "the text '\(String(decoding: text, as: UTF8.self))' twice" }
    let place = Int(id)
    if place >= textOfID.count {
      textOfID.append(contentsOf: repeatElement(-1, count: place + 1 - textOfID.count))
    }
    guard textOfID[place] < 0 else {
      return "the id \(id) for both '\(self.text(of: id) ?? "")' and '\(String(decoding: text, as: UTF8.self))'"
    }
    textOfID[place] = Int32(truncatingIfNeeded: index)
    ids.append(id)
    appendBytes(of: text)
    return nil
  }

  /// Adds an added token, which may also be one of the model's.
  mutating func add(_ token: AddedToken, decodedAs decoded: String, file: String) throws(TokenizerError) {
    if let known = id(of: token.content) {
      guard known == token.id else {
        throw .malformed(
          file: file, location: "added_tokens", found: "'\(token.content)' with the id \(token.id)",
          expected: "the id \(known), which the file gives to the same text elsewhere")
      }
    } else if let fault = insert(Array(token.content.utf8)[...], id: token.id) {
      throw .malformed(file: file, location: "added_tokens", found: fault, expected: "one text per id")
    }
    mostBytes = max(mostBytes, token.content.utf8.count)
    if !decoded.utf8.elementsEqual(token.content.utf8) {
      var bytes: [UInt8] = []
      decoder.appendBytes(of: Array(decoded.utf8)[...], to: &bytes)
      mostBytes = max(mostBytes, bytes.count, decoded.utf8.count)
      bytesApart[token.id] = bytes
    }
    if token.isSpecial {
      specialTokens.insert(token.id)
      if decoded.utf8.elementsEqual(token.content.utf8) { skippedTokens.insert(token.id) }
    }
  }

  func index(of id: TokenID) -> Int? {
    guard id >= 0, Int(id) < textOfID.count, textOfID[Int(id)] >= 0 else { return nil }
    return Int(textOfID[Int(id)])
  }

  func id(of text: String) -> TokenID? { id(ofUTF8: Array(text.utf8)[...]) }

  func id(ofUTF8 text: ArraySlice<UInt8>) -> TokenID? { texts.index(of: text).map { ids[$0] } }

  func utf8(of id: TokenID) -> ArraySlice<UInt8>? { index(of: id).map { texts[$0] } }

  func text(of id: TokenID) -> String? { utf8(of: id).map { String(decoding: $0, as: UTF8.self) } }

  /// The bytes that a token decodes to; `nil` for an id that is not in use.
  func bytes(of id: TokenID) -> ArraySlice<UInt8>? {
    if !bytesApart.isEmpty, let bytes = bytesApart[id] { return bytes[...] }
    return index(of: id).map { pool[ends[$0]..<ends[$0 + 1]] }
  }

  func isSpecial(_ id: TokenID) -> Bool { specialTokens.contains(id) }

  /// Whether decoding leaves the token out when special tokens are to be skipped.
  func isSkipped(_ id: TokenID) -> Bool { skippedTokens.contains(id) }
}
