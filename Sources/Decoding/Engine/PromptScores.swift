internal import Tensor
internal import Tokenization

/// Log-probabilities of a prompt's tokens, as its rows are computed.
struct PromptScores {
  private let prompt: [TokenID]
  /// Alternatives that are wanted of each token.
  private let count: Int
  /// Those of the tokens from the second on.
  private(set) var logprobs: [TokenLogprobs] = []

  init(prompt: [TokenID], count: Int) { (self.prompt, self.count) = (prompt, count) }

  /// Adds what rows tell.
  ///
  /// - Parameters:
  ///   - positions: prompt positions that were computed; after a preemption some of them again.
  ///   - logits: row `firstRow + i` belongs to the `i`-th of `positions` and tells about the token after it.
  mutating func add(_ positions: Range<Int>, _ logits: Activations, firstRow: Int) {
    for position in positions where position == logprobs.count && position + 1 < prompt.count {
      logprobs.append(
        TokenLogprobs(
          logits, row: firstRow + position - positions.lowerBound, token: prompt[position + 1], count: count))
    }
  }
}
