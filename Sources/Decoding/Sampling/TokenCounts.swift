public import Tokenization

/// How often each token stands in a request's text: what penalties depend on.
public struct TokenCounts: Sendable, Equatable {
  /// Tokens of the prompt.
  public private(set) var prompt: Set<TokenID>
  /// Occurrences in the output.
  public private(set) var output: [TokenID: Int] = [:]

  /// Counts for a request that has not produced anything yet.
  public init(prompt: some Sequence<TokenID>) {
    self.prompt = Set(prompt)
  }

  /// Adds a token of the output.
  public mutating func append(_ token: TokenID) {
    output[token, default: 0] += 1
  }
}
