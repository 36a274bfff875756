internal import JSON

/// Reads the `model` of a tokenizer file: the vocabulary and the merges, in whichever order the file has them.
struct BytePairModelReader {
  private var vocabulary: Vocabulary?
  /// Left and right parts of all merges, one after the other.
  private var mergeText: [UInt8] = []
  /// Ends of left part 0, right part 0, left part 1, …
  private var mergeEnds: [Int] = []
  private var hasMerges = false
  private var ignoresMerges = false
  /// What stands in for what the vocabulary lacks: the unknown token, and whether several in a row are one; tokens of
  /// bytes.
  private var unknown: FilePart?
  private var fusesUnknown = false
  private var byteFallback: FilePart?
  /// Where the file has the vocabulary and the merges, for messages.
  private let places: (vocabulary: String, merges: String)

  init() { places = ("model.vocab", "model.merges") }

  /// A model whose vocabulary has been read, and whose merges are strings with a space in the middle.
  init(
    vocabulary: Vocabulary, merges: [[UInt8]], ignoresMerges: Bool, places: (vocabulary: String, merges: String),
    file: String
  ) throws(TokenizerError) {
    self.places = places
    self.vocabulary = vocabulary
    self.ignoresMerges = ignoresMerges
    hasMerges = true
    for (rank, merge) in merges.enumerated() {
      mergeText += merge
      try splitMerge(from: mergeText.count - merge.count, rank: rank, file: file)
    }
  }

  mutating func read(_ scanner: inout JSONScanner, file: String) throws {
    var settings = JSONObject()
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      switch key {
      case "type":
        let type = try scanner.readString()
        guard type == "BPE" else {
          throw TokenizerError.unsupported(
            file: file, location: "model.type", found: "'\(type)'", supported: "'BPE'")
        }
      case "vocab": try readVocabulary(&scanner, file: file)
      case "merges": try readMerges(&scanner, file: file)
      default: settings[key] = try scanner.readValue()
      }
    }
    try read(FilePart(value: .object(settings), file: file, location: "model"))
  }

  private mutating func read(_ settings: FilePart) throws(TokenizerError) {
    ignoresMerges = try settings["ignore_merges"]?.boolean() ?? false
    if let part = settings["byte_fallback"], try part.boolean() { byteFallback = part }
    if let part = settings["unk_token"] {
      _ = try part.string()
      unknown = part
    }
    fusesUnknown = try settings["fuse_unk"]?.boolean() ?? false
    if let part = settings["dropout"], case let dropout = try part.number(), dropout != 0 {
      throw part.unsupported(found: "\(dropout)", supported: "null or 0")
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      guard let part = settings[key], case let affix = try part.string(), !affix.isEmpty else { continue }
      throw part.unsupported(found: "'\(affix)'", supported: "null or ''")
    }
  }

  private mutating func readVocabulary(_ scanner: inout JSONScanner, file: String) throws {
    var vocabulary = Vocabulary(minimumCapacity: 1 << 15)
    var text: [UInt8] = []
    try scanner.beginObject()
    while try scanner.nextMember(&text) {
      let id = try TokenizerFile.id(try scanner.readInteger(), location: "model.vocab", file: file)
      if let fault = vocabulary.insert(text[...], id: id) {
        throw TokenizerError.malformed(
          file: file, location: "model.vocab", found: fault, expected: "one text per id")
      }
    }
    self.vocabulary = vocabulary
  }

  private mutating func readMerges(_ scanner: inout JSONScanner, file: String) throws {
    hasMerges = true
    mergeText.removeAll(keepingCapacity: true)
    mergeEnds.removeAll(keepingCapacity: true)
    try scanner.beginArray()
    while try scanner.nextElement() {
      let rank = mergeEnds.count / 2
      if try scanner.peekKind() == .array {
        try scanner.beginArray()
        while try scanner.nextElement() {
          try scanner.appendString(to: &mergeText)
          mergeEnds.append(mergeText.count)
        }
        guard mergeEnds.count == 2 * rank + 2 else {
          throw badMerge(rank, found: "a list of \(mergeEnds.count - 2 * rank) strings", file: file)
        }
      } else {
        try readJoinedMerge(&scanner, rank: rank, file: file)
      }
    }
  }

  /// The older form: both parts in one string, with a space between them.
  private mutating func readJoinedMerge(_ scanner: inout JSONScanner, rank: Int, file: String) throws {
    let start = mergeText.count
    try scanner.appendString(to: &mergeText)
    // The first line of a merges.txt may have come along.
    if mergeText[start...].starts(with: "#version".utf8) {
      mergeText.removeSubrange(start...)
      return
    }
    try splitMerge(from: start, rank: rank, file: file)
  }

  /// Takes the space out of the merge that begins at `start`, the last one there is.
  private mutating func splitMerge(from start: Int, rank: Int, file: String) throws(TokenizerError) {
    let space = UInt8(ascii: " ")
    guard let middle = mergeText[start...].firstIndex(of: space), !mergeText[(middle + 1)...].contains(space) else {
      let text = String(decoding: mergeText[start...], as: UTF8.self)
      throw badMerge(rank, found: "'\(text)'", file: file)
    }
    mergeText.remove(at: middle)
    mergeEnds.append(middle)
    mergeEnds.append(mergeText.count)
  }

  private func badMerge(_ rank: Int, found: String, file: String) -> TokenizerError {
    .malformed(
      file: file, location: "\(places.merges)[\(rank)]", found: found,
      expected: "two vocabulary strings with a space between")
  }

  /// The vocabulary and the model, once everything has been read.
  ///
  /// - Parameters:
  ///   - decoder: how the vocabulary's texts become bytes; of which words consist, bytes or characters, goes by it.
  ///   - byteTokens: those of the 256 bytes, where the model itself does not say whether it uses them.
  /// - Returns: also whether splitting texts before SentencePiece's spaces changes no token.
  func finish(
    decoder: PieceDecoder, byteTokens: [TokenID]? = nil, file: String
  ) throws(TokenizerError) -> (vocabulary: Vocabulary, model: BytePairModel, splitsBeforeSpaces: Bool) {
    guard var vocabulary, vocabulary.count > 0 else {
      throw .malformed(
        file: file, location: places.vocabulary, found: vocabulary == nil ? "missing" : "empty",
        expected: "tokens and their ids")
    }
    guard hasMerges else {
      throw .malformed(file: file, location: places.merges, found: "missing", expected: "a list of merges")
    }
    let alphabet: BaseAlphabet
    switch decoder {
    case .byteLevel: alphabet = .bytes(try byteLevelTokens(vocabulary))
    case .texts:
      vocabulary.decode(by: decoder)
      alphabet = .characters(try characterTokens(vocabulary, byteTokens))
    }
    var splitsBeforeSpaces = !ignoresMerges && vocabulary.id(ofUTF8: Replacement.space[...]) != nil
    var table = MergeTable(capacity: mergeEnds.count / 2)
    for rank in 0..<mergeEnds.count / 2 {
      let start = rank == 0 ? 0 : mergeEnds[2 * rank - 1]
      let middle = mergeEnds[2 * rank]
      let end = mergeEnds[2 * rank + 1]
      let left = try token(mergeText[start..<middle], vocabulary, rank, file)
      let right = try token(mergeText[middle..<end], vocabulary, rank, file)
      let result = try token(mergeText[start..<end], vocabulary, rank, file)
      if splitsBeforeSpaces { splitsBeforeSpaces = Metaspace.hasSpacesFirst(mergeText[start..<end]) }
      table.insert(left: left, right: right, rank: rank, result: result)
    }
    let wholeWords = ignoresMerges ? Self.wholeWords(of: vocabulary, decoder) : nil
    return (
      vocabulary, BytePairModel(alphabet: alphabet, merges: table, wholeWords: wholeWords), splitsBeforeSpaces
    )
  }

  private func byteLevelTokens(_ vocabulary: Vocabulary) throws(TokenizerError) -> [TokenID] {
    let tokens = ByteAlphabet.scalars.map { vocabulary.id(of: String(Character($0))) ?? -1 }
    if let fallback = unknown ?? byteFallback, let byte = tokens.firstIndex(of: -1) {
      throw fallback.unsupported(
        found: "set while the vocabulary has no token for byte \(byte)",
        supported: "a vocabulary with all 256 bytes, which needs none")
    }
    return tokens
  }

  private func characterTokens(
    _ vocabulary: Vocabulary, _ givenByteTokens: [TokenID]?
  ) throws(TokenizerError) -> CharacterTokens {
    var byteTokens = givenByteTokens
    if let byteFallback {
      let tokens = (UInt8.min...UInt8.max).map { vocabulary.id(of: PieceDecoder.text(ofByte: $0)) }
      let known = tokens.compactMap { $0 }
      if known.count == tokens.count {
        byteTokens = known
      } else if let byte = tokens.firstIndex(of: nil), !known.isEmpty {
        throw byteFallback.unsupported(
          found: "true while the vocabulary has tokens for \(known.count) bytes and none for byte \(byte)",
          supported: "a vocabulary with all 256 bytes, or none of them")
      }
    }
    let unknownToken = unknown?.value.string.flatMap { vocabulary.id(of: $0) }
    if let unknown, byteTokens == nil, unknownToken == nil {
      throw unknown.malformed(
        found: "'\(unknown.value.string ?? "")', which is not in the vocabulary", expected: "a token of the vocabulary")
    }
    return CharacterTokens(
      of: vocabulary, byteTokens: byteTokens, unknown: unknownToken, fusesUnknown: fusesUnknown)
  }

  private func token(
    _ text: ArraySlice<UInt8>, _ vocabulary: Vocabulary, _ rank: Int, _ file: String
  ) throws(TokenizerError) -> TokenID {
    if let id = vocabulary.id(ofUTF8: text) { return id }
    throw .malformed(
      file: file, location: "\(places.merges)[\(rank)]",
      found: "about '\(String(decoding: text, as: UTF8.self))', which is not in the vocabulary",
      expected: "parts and a result that are")
  }

  private static func wholeWords(of vocabulary: Vocabulary, _ decoder: PieceDecoder) -> BytePairModel.WholeWords {
    var words = BytePairModel.WholeWords(minimumCapacity: vocabulary.count)
    var bytes: [UInt8] = []
    for id in 0..<TokenID(truncatingIfNeeded: vocabulary.size) {
      guard let text = vocabulary.utf8(of: id) else { continue }
      switch decoder {
      case .byteLevel:
        bytes.removeAll(keepingCapacity: true)
        if ByteAlphabet.appendBytes(ofToken: text, to: &bytes) { words.insert(bytes[...], id: id) }
      case .texts: words.insert(text, id: id)
      }
    }
    return words
  }
}
