/// Turns a word into tokens.
enum SubwordModel: Sendable {
  /// Merges pairs in the order of a list of merges.
  case merges(BytePairModel)
  /// Merges what forms the piece of the best score.
  case scores(ScoredPairModel)

  /// Appends the tokens of `word` (UTF-8) to `output`.
  func append(_ word: ArraySlice<UInt8>, scratch: inout EncodingScratch, to output: inout [TokenID]) {
    if word.count == 1, let byte = word.first, case .merges(let model) = self, case .bytes(let tokens) = model.alphabet
    {
      if tokens[Int(byte)] >= 0 { output.append(tokens[Int(byte)]) }
      return
    }
    let isCacheable = word.count <= WordCache.longestWord
    if isCacheable, scratch.cache.append(word, to: &output) { return }
    let start = output.count
    switch self {
    case .merges(let model): model.append(word, merger: &scratch.merger, to: &output)
    case .scores(let model): model.append(word, merger: &scratch.pieceMerger, to: &output)
    }
    if isCacheable { scratch.cache.insert(word, tokens: output[start...]) }
  }

  /// Whether words are taken byte by byte, as GPT-2 does it, and not by characters, as SentencePiece does.
  var isByteLevel: Bool {
    switch self {
    case .merges(let model):
      switch model.alphabet {
      case .bytes: true
      case .characters: false
      }
    case .scores: false
    }
  }

  /// Whether every text has tokens, each of which stands for a limited part of it.
  var writesAnyText: Bool {
    switch self {
    case .merges(let model): model.alphabet.writesAnyText
    case .scores(let model): model.byteTokens != nil
    }
  }
}
