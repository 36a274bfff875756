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
    encode(text, parsesSpecialTokens: parsesSpecialTokens, addsSpecialTokens: addsSpecialTokens, budget: nil) ?? []
  }

  /// The same for a request that may be called off: `nil` once it is.
  ///
  /// - Parameter seams: what was put into the text to keep special tokens apart; it is left out.
  package func encode(
    _ text: String, parsesSpecialTokens: Bool = true, addsSpecialTokens: Bool = false, seams: SpecialTokenSeams? = nil,
    budget: WorkBudget?
  ) -> [TokenID]? {
    var scratch = scratchPool.take()
    defer { scratchPool.giveBack(scratch) }
    var output: [TokenID] = []
    if addsSpecialTokens { output += postProcessor.prefix }
    let bytes = Array(text.utf8)
    for segment in givenTextMatcher.segments(
      in: bytes, range: bytes.indices, parsesSpecialTokens: parsesSpecialTokens)
    {
      if let token = segment.token {
        output.append(token)
      } else if let joined = seams?.removed(from: bytes[segment.range]) {
        let normalized = normalizer.normalized(joined, joined.indices) ?? joined
        encode(normalized, normalized.indices, false, budget, &scratch, &output)
      } else if let normalized = normalizer.normalized(bytes, segment.range) {
        encode(normalized, normalized.indices, parsesSpecialTokens, budget, &scratch, &output)
      } else {
        encode(bytes, segment.range, parsesSpecialTokens, budget, &scratch, &output)
      }
      if let budget, budget.isCancelled { return nil }
    }
    if addsSpecialTokens { output += postProcessor.suffix }
    return output
  }

  /// The most bytes of text that `count` tokens can stand for; `nil` where text may be left out without a token.
  ///
  /// A longer text has more tokens for certain, which is known without looking at it.
  package func mostBytes(ofTokens count: Int) -> Int? {
    guard !dropsText else { return nil }
    // Composition makes three bytes of at most nine: a syllable of three jamo, a letter with three marks.
    let composed = normalizer == .nfc ? 3 : 1
    let (product, overflows) = vocabulary.mostBytes.multipliedReportingOverflow(by: composed)
    let (bytes, isTooLarge) = product.multipliedReportingOverflow(by: max(count, 0))
    return overflows || isTooLarge ? nil : bytes
  }

  /// Whether there is text that no token stands for: white space beside a token that takes it, a byte that the vocabulary
  /// lacks, what is split away.
  private var dropsText: Bool {
    givenTextMatcher.stripsText || normalizedTextMatcher.stripsText || model.byteTokens.contains { $0 < 0 }
      || preTokenizer.dropsText
  }

  /// Encodes normalized text.
  private func encode(
    _ bytes: [UInt8], _ range: Range<Int>, _ parsesSpecialTokens: Bool, _ budget: WorkBudget?,
    _ scratch: inout EncodingScratch, _ output: inout [TokenID]
  ) {
    for segment in normalizedTextMatcher.segments(in: bytes, range: range, parsesSpecialTokens: parsesSpecialTokens) {
      if let token = segment.token {
        output.append(token)
        continue
      }
      // A copy of the segment alone: steps look at the whole of what they are given, so that a text with many special
      // tokens would cost its length for each of them.
      var text = Array(bytes[segment.range])
      if let budget, budget.isCancelled { return }
      for word in preTokenizer.words(in: &text, range: text.indices, workspace: scratch.workspace) {
        model.append(text[word], merger: &scratch.merger, cache: &scratch.cache, to: &output)
      }
    }
  }
}
