public import Tokenization

/// How often each token stands in a request's sequence: what penalties depend on.
public struct TokenCounts: Sendable, Equatable {
  /// Tokens of the prompt.
  public private(set) var prompt: Set<TokenID>
  /// Occurrences in the output.
  public private(set) var output: [TokenID: Int] = [:]

  private let isKept: Bool

  /// Counts for a request that has not produced anything yet.
  ///
  /// - Parameter isKept: whether anything depends on them; otherwise they stay empty.
  public init(prompt: some Sequence<TokenID>, isKept: Bool = true) {
    self.prompt = isKept ? Set(prompt) : []
    self.isKept = isKept
  }

  /// Adds a token of the output.
  public mutating func append(_ token: TokenID) {
    if isKept { output[token, default: 0] += 1 }
  }
}
