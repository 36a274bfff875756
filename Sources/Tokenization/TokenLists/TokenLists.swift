/// A byte-level BPE tokenizer as GGUF files describe it: lists of tokens and merges, and the name of a pre-tokenizer.
package struct TokenLists: Sendable {
  /// What a token is for.
  package enum Kind: Sendable, Equatable {
    /// Made by merges.
    case normal
    /// A control token, left out of decoded text on request.
    case control
    /// Found in texts before anything is split.
    case userDefined
    /// Fills the list up to the model's size.
    case unused
  }

  /// The tokens' texts in the byte-level alphabet, by id.
  package var tokens: [[UInt8]]
  /// What each is for.
  package var kinds: [Kind]
  /// Pairs of texts with a space between, the first merge first.
  package var merges: [[UInt8]]
  /// Name of the pre-tokenizer.
  package var preTokenizer: String
  /// The first and last tokens of a text.
  package var beginOfText, endOfText: TokenID?
  /// Whether they are put around a text; `nil` for what the pre-tokenizer's models do.
  package var addsBeginOfText, addsEndOfText: Bool?
  /// The chat templates' sources by name; the one without a name is `default`.
  package var chatTemplates: [String: String] = [:]

  /// Lists without anything around them.
  package init(tokens: [[UInt8]], kinds: [Kind], merges: [[UInt8]], preTokenizer: String) {
    self.tokens = tokens
    self.kinds = kinds
    self.merges = merges
    self.preTokenizer = preTokenizer
  }
}

extension Tokenizer {
  /// Builds a tokenizer from the lists of `file`.
  ///
  /// - Throws: `TokenizerError` naming the file, the list, what was found in it and what was expected.
  package init(_ lists: TokenLists, file: String) throws(TokenizerError) {
    guard let named = NamedPreTokenizer.named(lists.preTokenizer) else {
      throw .unsupported(
        file: file, location: "tokenizer.ggml.pre", found: "'\(lists.preTokenizer)'",
        supported: NamedPreTokenizer.names.joined(separator: ", "))
    }
    guard lists.tokens.count <= TokenizerFile.idLimit, lists.kinds.count == lists.tokens.count else {
      throw .malformed(
        file: file, location: "tokenizer.ggml.token_type",
        found: "\(lists.kinds.count) types of \(lists.tokens.count) tokens",
        expected: "one of each, at most \(TokenizerFile.idLimit)")
    }
    let (vocabulary, addedTokens) = try lists.vocabulary(file: file)
    let reader = try BytePairModelReader(
      vocabulary: vocabulary, merges: lists.merges, ignoresMerges: named.ignoresMerges,
      places: ("tokenizer.ggml.tokens", "tokenizer.ggml.merges"), file: file)
    let steps: [PreTokenizer.Step]
    do { steps = try named.steps() } catch {
      throw .unsupported(
        file: file, location: "tokenizer.ggml.pre", found: "'\(lists.preTokenizer)', whose pattern does not compile",
        supported: "patterns that do")
    }
    func ends(_ token: TokenID?, _ isAdded: Bool) -> [TokenID] { isAdded ? token.map { [$0] } ?? [] : [] }
    self.init(
      vocabulary: vocabulary, model: try reader.finish(file: file).1, normalizer: named.normalizer,
      preTokenizer: PreTokenizer(steps: steps),
      postProcessor: PostProcessor(
        prefix: ends(lists.beginOfText, lists.addsBeginOfText ?? named.addsBeginOfText),
        suffix: ends(lists.endOfText, lists.addsEndOfText ?? false)),
      addedTokens: addedTokens, chatTemplates: lists.chatTemplates,
      beginOfTextToken: lists.beginOfText.flatMap { vocabulary.text(of: $0) },
      endOfTextToken: lists.endOfText.flatMap { vocabulary.text(of: $0) })
  }
}

extension TokenLists {
  /// The tokens in use, and those of them that are looked for in texts.
  fileprivate func vocabulary(file: String) throws(TokenizerError) -> (Vocabulary, [AddedToken]) {
    var vocabulary = Vocabulary(minimumCapacity: tokens.count)
    var added: [AddedToken] = []
    for (index, text) in tokens.enumerated() {
      let id = TokenID(truncatingIfNeeded: index)
      switch kinds[index] {
      case .unused: continue
      case .normal:
        if let fault = vocabulary.insert(text[...], id: id) {
          throw .malformed(
            file: file, location: "tokenizer.ggml.tokens[\(index)]", found: fault, expected: "one text per id")
        }
      case .control, .userDefined:
        guard !text.isEmpty else {
          throw .malformed(
            file: file, location: "tokenizer.ggml.tokens[\(index)]", found: "empty", expected: "an added token's text")
        }
        let token = AddedToken(
          id: id, content: String(decoding: text, as: UTF8.self), isSpecial: kinds[index] == .control,
          isNormalized: false)
        try vocabulary.add(token, decodedAs: token.content, file: file)
        added.append(token)
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
