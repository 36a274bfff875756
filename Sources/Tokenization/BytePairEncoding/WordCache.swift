/// The tokens of words met before. Text repeats its words, so most of them need no merging at all.
struct WordCache: Sendable {
  /// Longer words are rare and seldom repeat.
  static let longestWord = 48
  /// When this many words are held, all are dropped: simpler than ageing, and rare.
  private static let capacity = 1 << 15

  private var words = ByteStringTable(minimumCapacity: capacity)
  private var tokens: [TokenID] = []
  /// Tokens of word `index` are `tokens[ends[index - 1]..<ends[index]]`.
  private var ends: [Int] = [0]

  /// Appends the tokens of `word` to `output` if they are known.
  func append(_ word: ArraySlice<UInt8>, to output: inout [TokenID]) -> Bool {
    guard let index = words.index(of: word) else { return false }
    for position in ends[index]..<ends[index + 1] { output.append(tokens[position]) }
    return true
  }

  /// Remembers the tokens of a word that is not in the cache.
  mutating func insert(_ word: ArraySlice<UInt8>, tokens wordTokens: ArraySlice<TokenID>) {
    if words.count >= Self.capacity { self = WordCache() }
    guard words.insert(word).isNew else { return }
    tokens.append(contentsOf: wordTokens)
    ends.append(tokens.count)
  }
}
