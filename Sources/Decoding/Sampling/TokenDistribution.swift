public import Tokenization

/// The probabilities that a token is drawn with: those that temperature and filters leave, ascending by token id.
public struct TokenDistribution: Sendable, Equatable {
  /// Token ids with a probability above zero.
  public let tokens: [TokenID]
  /// Their probabilities; they sum to 1.
  public let probabilities: [Double]

  /// A distribution; weights need not sum to 1.
  package init(tokens: [TokenID], weights: [Double]) {
    let total = weights.reduce(0, +)
    self.tokens = tokens
    probabilities = weights.map { $0 / total }
  }

  /// The probability of `token`.
  public func probability(of token: TokenID) -> Double {
    var (low, high) = (0, tokens.count)
    while low < high {
      let middle = (low + high) / 2
      if tokens[middle] < token { low = middle + 1 } else { high = middle }
    }
    return low < tokens.count && tokens[low] == token ? probabilities[low] : 0
  }

  /// The token at the share `uniform` (0 to 1) of the cumulative distribution.
  public func token(at uniform: Double) -> TokenID {
    var sum = 0.0
    for (token, probability) in zip(tokens, probabilities) {
      sum += probability
      if uniform < sum { return token }
    }
    return tokens[tokens.count - 1]
  }

  /// What this distribution has in excess of `other`, made to sum to 1; this one when it has nothing in excess.
  public func excess(over other: TokenDistribution) -> TokenDistribution {
    let rest = zip(tokens, probabilities).map { max(0, $1 - other.probability(of: $0)) }
    return rest.contains { $0 > 0 } ? TokenDistribution(tokens: tokens, weights: rest) : self
  }
}
