extension Tokenizer {
  /// Builds a tokenizer from the lists of `file`.
  ///
  /// - Throws: `TokenizerError` naming the file, the list, what was found in it and what was expected.
  package init(_ lists: TokenLists, file: String) throws(TokenizerError) {
    guard lists.tokens.count <= TokenizerFile.idLimit, lists.kinds.count == lists.tokens.count else {
      throw .malformed(
        file: file, location: "tokenizer.ggml.token_type",
        found: "\(lists.kinds.count) types of \(lists.tokens.count) tokens",
        expected: "one of each, at most \(TokenizerFile.idLimit)")
    }
    let (vocabulary, addedTokens) = try lists.vocabulary(file: file)
    let parts: TokenLists.Parts
    switch lists.algorithm {
    case .byteLevel: parts = try lists.byteLevelParts(vocabulary, file: file)
    case .characters: parts = try lists.characterParts(vocabulary, file: file)
    case .scores(let scores, let prependsSpace):
      parts = try lists.scoredParts(vocabulary, scores, prependsSpace: prependsSpace, file: file)
    }
    func ends(_ token: TokenID?, _ isAdded: Bool) -> [TokenID] { isAdded ? token.map { [$0] } ?? [] : [] }
    self.init(
      vocabulary: vocabulary, model: parts.model, normalizer: parts.normalizer,
      preTokenizer: PreTokenizer(steps: parts.steps),
      postProcessor: PostProcessor(
        prefix: ends(lists.beginOfText, lists.addsBeginOfText ?? parts.addsBeginOfText),
        suffix: ends(lists.endOfText, lists.addsEndOfText ?? false)),
      decodedStart: parts.decodedStart, addedTokens: addedTokens, chatTemplates: lists.chatTemplates,
      beginOfTextToken: lists.beginOfText.flatMap { vocabulary.text(of: $0) },
      endOfTextToken: lists.endOfText.flatMap { vocabulary.text(of: $0) })
  }
}

extension TokenLists {
  /// What the algorithm decides.
  fileprivate struct Parts {
    let model: SubwordModel
    let normalizer: Normalizer
    let steps: [PreTokenizer.Step]
    /// Whether a text gets its first token when the file does not say.
    let addsBeginOfText: Bool
    var decodedStart = DecodedStart.whole
  }

  private static let places = (vocabulary: "tokenizer.ggml.tokens", merges: "tokenizer.ggml.merges")

  fileprivate func byteLevelParts(_ vocabulary: Vocabulary, file: String) throws(TokenizerError) -> Parts {
    guard let named = NamedPreTokenizer.named(preTokenizer) else {
      throw .unsupported(
        file: file, location: "tokenizer.ggml.pre", found: "'\(preTokenizer)'",
        supported: NamedPreTokenizer.names.joined(separator: ", "))
    }
    let reader = try BytePairModelReader(
      vocabulary: vocabulary, merges: merges, ignoresMerges: named.ignoresMerges, places: Self.places, file: file)
    let steps: [PreTokenizer.Step]
    do { steps = try named.steps() } catch {
      throw .unsupported(
        file: file, location: "tokenizer.ggml.pre", found: "'\(preTokenizer)', whose pattern does not compile",
        supported: "patterns that do")
    }
    return Parts(
      model: .merges(try reader.finish(decoder: .byteLevel, file: file).model), normalizer: named.normalizer,
      steps: steps, addsBeginOfText: named.addsBeginOfText)
  }

  /// Gemma 4's: spaces become `▁`, line breaks are words of their own, and what the vocabulary lacks is written in bytes.
  fileprivate func characterParts(_ vocabulary: Vocabulary, file: String) throws(TokenizerError) -> Parts {
    let reader = try BytePairModelReader(
      vocabulary: vocabulary, merges: merges, ignoresMerges: false, places: Self.places, file: file)
    let (_, model, splitsBeforeSpaces) = try reader.finish(
      decoder: .sentencePiece, byteTokens: try byteTokens(vocabulary, orUnknown: false, file: file), file: file)
    // Merges do not form the tokens of several line breaks; they are taken whole.
    var lines = BytePairModel.WholeWords(minimumCapacity: 64)
    for (index, text) in tokens.enumerated()
    where kinds[index] == .normal && !text.isEmpty && text.allSatisfy({ $0 == UInt8(ascii: "\n") }) {
      lines.insert(text[...], id: TokenID(truncatingIfNeeded: index))
    }
    return Parts(
      model: .merges(BytePairModel(alphabet: model.alphabet, merges: model.merges, wholeWords: lines)),
      normalizer: Normalizer(steps: [.replacement(.escapingSpaces)]),
      steps: [.lines] + (splitsBeforeSpaces ? [.beforeSpaces] : []), addsBeginOfText: true)
  }

  fileprivate func scoredParts(
    _ vocabulary: Vocabulary, _ scores: [Float], prependsSpace: Bool, file: String
  ) throws(TokenizerError) -> Parts {
    guard scores.count == tokens.count, scores.allSatisfy({ !$0.isNaN }) else {
      throw .malformed(
        file: file, location: "tokenizer.ggml.scores",
        found: scores.count == tokens.count
          ? "with one that is no number" : "\(scores.count) scores of \(tokens.count) tokens",
        expected: "a number for each token")
    }
    let byteTokens = try byteTokens(vocabulary, orUnknown: true, file: file)
    // Control tokens are none that text can merge into; neither is `<0x0A>`.
    let pieces = tokens.indices.filter { [.normal, .userDefined].contains(kinds[$0]) }.map {
      (text: tokens[$0], id: TokenID(truncatingIfNeeded: $0), score: scores[$0])
    }
    let splits = pieces.allSatisfy { Metaspace.hasSpacesFirst($0.text[...]) }
    let space = Normalizer.Step.replacement(.escapingSpaces)
    return Parts(
      model: .scores(
        ScoredPairModel(
          pieces: pieces, byteTokens: byteTokens,
          unknown: kinds.firstIndex(of: .unknown).map { TokenID(truncatingIfNeeded: $0) })),
      normalizer: Normalizer(steps: prependsSpace ? [.prepend(Replacement.space), space] : [space]),
      steps: splits ? [.beforeSpaces] : [], addsBeginOfText: true,
      decodedStart: prependsSpace ? .without(character: [UInt8(ascii: " ")], count: 1) : .whole)
  }

  /// The tokens of the 256 bytes; `nil` where there are none of them and an unknown token does instead.
  private func byteTokens(
    _ vocabulary: Vocabulary, orUnknown: Bool, file: String
  ) throws(TokenizerError) -> [TokenID]? {
    let found = (UInt8.min...UInt8.max).map { vocabulary.id(of: PieceDecoder.text(ofByte: $0)) }
    let known = found.compactMap { $0 }
    if known.count == found.count { return known }
    if known.isEmpty, orUnknown, kinds.contains(.unknown) { return nil }
    throw .unsupported(
      file: file, location: "tokenizer.ggml.tokens", found: "with tokens of \(known.count) bytes",
      supported: "tokens from <0x00> to <0xFF>, of all 256"
        + (orUnknown ? ", or none of them and an unknown token" : ""))
  }

  /// The tokens in use, and those of them that are looked for in texts.
  fileprivate func vocabulary(file: String) throws(TokenizerError) -> (Vocabulary, [AddedToken]) {
    let isByteLevel = algorithm == .byteLevel
    var vocabulary = Vocabulary(minimumCapacity: tokens.count, decoder: isByteLevel ? .byteLevel : .sentencePiece)
    var added: [AddedToken] = []
    for (index, text) in tokens.enumerated() {
      let id = TokenID(truncatingIfNeeded: index)
      switch kinds[index] {
      case .unused: continue
      case .unknown where !isByteLevel, .control, .userDefined:
        guard !text.isEmpty else {
          throw .malformed(
            file: file, location: "tokenizer.ggml.tokens[\(index)]", found: "empty", expected: "an added token's text")
        }
        let isControl = kinds[index] != .userDefined
        let token = AddedToken(
          id: id, content: String(decoding: text, as: UTF8.self), isSpecial: isControl,
          stripsRight: controlsStripRight && kinds[index] == .control, isNormalized: false)
        try vocabulary.add(token, decodedAs: token.content, file: file)
        added.append(token)
      case .normal, .byte, .unknown:
        if let fault = vocabulary.insert(text[...], id: id) {
          throw .malformed(
            file: file, location: "tokenizer.ggml.tokens[\(index)]", found: fault, expected: "one text per id")
        }
      }
    }
    for id in [beginOfText, endOfText].compactMap({ $0 }) where vocabulary.text(of: id) == nil {
      throw .malformed(
        file: file, location: "the id of a text's first or last token", found: "\(id)",
        expected: "a token in use, below \(vocabulary.size)")
    }
    return (vocabulary, added)
  }
}
