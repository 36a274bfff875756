/// What a tokenizer puts around the tokens of a whole text when special tokens are asked for.
struct PostProcessor: Sendable {
  /// For example Llama 3's `<|begin_of_text|>`.
  var prefix: [TokenID] = []
  var suffix: [TokenID] = []
}
