/// A BPE model with a list of merges: turns the bytes of one word into tokens.
struct BytePairModel: Sendable {
  let alphabet: BaseAlphabet
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
  func append(_ word: ArraySlice<UInt8>, merger: inout WordMerger, to output: inout [TokenID]) {
    if let id = wholeWords?.id(of: word) {
      output.append(id)
    } else {
      merger.append(word: word, alphabet: alphabet, table: merges, to: &output)
    }
  }
}
