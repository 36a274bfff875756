internal import Foundation
public import Tensor
public import Tokenization

/// Log-probabilities at one output position, from the raw logits (before bias, penalties and temperature).
public struct TokenLogprobs: Sendable, Equatable {
  /// The chosen token's.
  public let chosen: Double
  /// The chosen token's place among all by likelihood; 1 is the most likely.
  public let rank: Int
  /// The most likely tokens, most likely first.
  public let top: [Entry]

  /// A token and its log-probability.
  public struct Entry: Sendable, Equatable {
    /// Token id.
    public let token: TokenID
    /// Natural logarithm of its probability.
    public let logprob: Double
  }

  /// Log-probabilities of `token` and of the `count` most likely tokens in row `row` of `logits`.
  public init(_ logits: Activations, row: Int, token: TokenID, count: Int) {
    (chosen, rank, top) = logits.withRow(row) { values in
      let peak = Double(values[logits.argmax(row: row)])
      var sum = 0.0
      for index in values.indices { sum += exp(Double(values[index]) - peak) }
      let normaliser = peak + log(sum)
      var leaders: [Entry] = []
      for index in values.indices where count > 0 {
        let logprob = Double(values[index]) - normaliser
        if leaders.count == count, logprob <= leaders[count - 1].logprob { continue }
        let place = leaders.firstIndex { $0.logprob < logprob } ?? leaders.count
        leaders.insert(Entry(token: TokenID(index), logprob: logprob), at: place)
        if leaders.count > count { leaders.removeLast() }
      }
      let own = values[Int(token)]
      var rank = 1
      for index in values.indices where values[index] > own { rank += 1 }
      return (Double(own) - normaliser, rank, leaders)
    }
  }
}
