/// What random prompts look like; names are those of vLLM's flags.
package struct RandomPrompts: Sendable, Equatable {
  /// Of a prompt after its prefix.
  package var inputTokens: Int
  /// Of an answer.
  package var outputTokens: Int
  /// Both lengths are drawn evenly from 1 - ratio to 1 + ratio times these; from 0 to below 1.
  package var rangeRatio: Double
  /// The same tokens before every prompt.
  package var prefixTokens: Int

  package init(inputTokens: Int, outputTokens: Int, rangeRatio: Double = 0, prefixTokens: Int = 0) {
    self.inputTokens = inputTokens
    self.outputTokens = outputTokens
    self.rangeRatio = rangeRatio
    self.prefixTokens = prefixTokens
  }

  /// A length around `tokens`, at least 1.
  func length(about tokens: Int, using random: inout SeededRandom) -> Int {
    let spread = Int(Double(tokens) * rangeRatio)
    return max(1, Int.random(in: tokens - spread...tokens + spread, using: &random))
  }
}
