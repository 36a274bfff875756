extension Tokenizer {
  /// The tokens of `text`.
  ///
  /// - Parameters:
  ///   - parsesSpecialTokens: whether the text of a special token becomes that token (`encode_special_tokens = False` in
  ///     `tokenizers`) or is text like any other. Other added tokens are always found.
  ///   - addsSpecialTokens: whether to add what the tokenizer's template puts around a text, such as Llama 3's first token.
  public func encode(
    _ text: String, parsesSpecialTokens: Bool = true, addsSpecialTokens: Bool = false
  ) -> [TokenID] {
    var scratch = scratchPool.take()
    var output: [TokenID] = []
    if addsSpecialTokens { output += postProcessor.prefix }
    let bytes = Array(text.utf8)
    for segment in givenTextMatcher.segments(
      in: bytes, range: bytes.indices, parsesSpecialTokens: parsesSpecialTokens)
    {
      if let token = segment.token {
        output.append(token)
      } else if let normalized = normalizer.normalized(bytes, segment.range) {
        encode(normalized, normalized.indices, parsesSpecialTokens, &scratch, &output)
      } else {
        encode(bytes, segment.range, parsesSpecialTokens, &scratch, &output)
      }
    }
    if addsSpecialTokens { output += postProcessor.suffix }
    scratchPool.giveBack(scratch)
    return output
  }

  /// Encodes normalized text.
  private func encode(
    _ bytes: [UInt8], _ range: Range<Int>, _ parsesSpecialTokens: Bool, _ scratch: inout EncodingScratch,
    _ output: inout [TokenID]
  ) {
    for segment in normalizedTextMatcher.segments(in: bytes, range: range, parsesSpecialTokens: parsesSpecialTokens) {
      if let token = segment.token {
        output.append(token)
        continue
      }
      // A copy of the segment alone: steps look at the whole of what they are given, so that a text with many special
      // tokens would cost its length for each of them.
      var text = Array(bytes[segment.range])
      for word in preTokenizer.words(in: &text, range: text.indices, workspace: scratch.workspace) {
        model.append(text[word], merger: &scratch.merger, cache: &scratch.cache, to: &output)
      }
    }
  }
}
