public import Tokenization

/// A set of token ids: which tokens may come next. One bit per id.
public struct TokenMask: Sendable, Hashable {
  /// Bit `id % 64` of word `id / 64` stands for token `id`.
  package private(set) var words: [UInt64]

  /// An empty set that has room for ids below `vocabularySize`.
  public init(vocabularySize: Int) { words = Array(repeating: 0, count: (vocabularySize + 63) / 64) }

  /// The set with these bits.
  package init(words: [UInt64]) { self.words = words }

  /// All ids below `count`.
  init(allBelow count: Int) {
    words = Array(repeating: .max, count: (count + 63) / 64)
    if count & 63 != 0 { words[words.count - 1] = 1 << UInt64(count & 63) - 1 }
  }

  /// Whether `token` is in the set; ids beyond its room are not.
  public func contains(_ token: TokenID) -> Bool {
    let word = Int(token) >> 6
    return token >= 0 && word < words.count && words[word] >> (UInt64(token) & 63) & 1 == 1
  }

  /// Adds `token`, which the set has room for.
  public mutating func insert(_ token: TokenID) { words[Int(token) >> 6] |= 1 << (UInt64(token) & 63) }

  /// Whether there is no token in the set.
  public var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

  /// The set without `tokens`.
  func subtracting(_ tokens: Set<TokenID>) -> TokenMask {
    var rest = self
    for token in tokens where contains(token) { rest.words[Int(token) >> 6] &= ~(1 << (UInt64(token) & 63)) }
    return rest
  }

  /// The tokens in both sets.
  func intersection(_ other: TokenMask) -> TokenMask {
    TokenMask(words: zip(words, other.words).map { $0 & $1 })
  }

  /// Number of tokens in the set.
  public var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

  /// The token in the set, when there is just one.
  public var only: TokenID? {
    var found: TokenID?
    for (index, word) in words.enumerated() where word != 0 {
      guard found == nil, word & (word - 1) == 0 else { return nil }
      found = TokenID(index << 6 + word.trailingZeroBitCount)
    }
    return found
  }

  /// The ids below `limit` in ascending order.
  func tokens(below limit: Int) -> [Int] {
    var tokens: [Int] = []
    for (index, word) in words.enumerated() {
      var word = word
      while word != 0 {
        let token = index << 6 + word.trailingZeroBitCount
        guard token < limit else { return tokens }
        tokens.append(token)
        word &= word - 1
      }
    }
    return tokens
  }
}
