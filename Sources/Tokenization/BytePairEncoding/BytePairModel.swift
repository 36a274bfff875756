/// A byte-level BPE model: turns the bytes of one word into tokens.
struct BytePairModel: Sendable {
  /// The token of each single byte, −1 where the vocabulary lacks it.
  let byteTokens: [TokenID]
  let merges: MergeTable
  /// Present when the model takes a word that is in the vocabulary whole, whatever its merges say (`ignore_merges`).
  let wholeWords: WholeWords?

  /// Vocabulary entries by the bytes they stand for.
  struct WholeWords: Sendable {
    private var words: ByteStringTable
    private var ids: [TokenID] = []

    init(minimumCapacity: Int) { words = ByteStringTable(minimumCapacity: minimumCapacity) }

    mutating func insert(_ bytes: ArraySlice<UInt8>, id: TokenID) {
      if words.insert(bytes).isNew { ids.append(id) }
    }

    func id(of bytes: ArraySlice<UInt8>) -> TokenID? { words.index(of: bytes).map { ids[$0] } }
  }

  /// Appends the tokens of `word` to `output`.
  func append(
    _ word: ArraySlice<UInt8>, merger: inout WordMerger, cache: inout WordCache, to output: inout [TokenID]
  ) {
    if word.count == 1, let byte = word.first {
      if byteTokens[Int(byte)] >= 0 { output.append(byteTokens[Int(byte)]) }
      return
    }
    let isCacheable = word.count <= WordCache.longestWord
    if isCacheable, cache.append(word, to: &output) { return }
    let start = output.count
    if let id = wholeWords?.id(of: word) {
      output.append(id)
    } else {
      merger.append(word: word, byteTokens: byteTokens, table: merges, to: &output)
    }
    if isCacheable { cache.insert(word, tokens: output[start...]) }
  }
}
