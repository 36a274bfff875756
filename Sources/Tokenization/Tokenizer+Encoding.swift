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

  /// The tokens with which a text that stands already is gone on with: without the space that some tokenizers put before
  /// a text.
  package func encodeContinuation(_ text: String) -> [TokenID] {
    encode(text, continuesText: true, budget: nil) ?? []
  }

  /// The same for a request that may be called off: `nil` once it is.
  ///
  /// - Parameters:
  ///   - continuesText: whether the text goes on with another.
  ///   - seams: what was put into the text to keep special tokens apart; it is left out.
  package func encode(
    _ text: String, parsesSpecialTokens: Bool = true, addsSpecialTokens: Bool = false, continuesText: Bool = false,
    seams: SpecialTokenSeams? = nil, budget: WorkBudget?
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
        continue
      }
      let place: TextPlace =
        segment.range.lowerBound > 0 ? .afterToken : continuesText ? .continuation : .beginning
      let joined = seams?.removed(from: bytes[segment.range])
      var (source, range) = (joined ?? bytes, joined?.indices ?? segment.range)
      if let normalized = normalizer.normalized(source, range, continuesText: place == .continuation) {
        (source, range) = (normalized, normalized.indices)
      }
      encode(source, range, parsesSpecialTokens && joined == nil, place, budget, &scratch, &output)
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
    guard let composed = normalizer.mostBytesOfByte else { return nil }
    let (product, overflows) = vocabulary.mostBytes.multipliedReportingOverflow(by: composed)
    let (bytes, isTooLarge) = product.multipliedReportingOverflow(by: max(count, 0))
    return overflows || isTooLarge ? nil : bytes
  }

  /// Whether there is text that no token stands for, or one token stands for however much: white space beside a token that
  /// takes it, what the vocabulary lacks, what is split away.
  private var dropsText: Bool {
    givenTextMatcher.stripsText || normalizedTextMatcher.stripsText || !model.writesAnyText || preTokenizer.dropsText
  }

  /// Encodes normalized text.
  private func encode(
    _ bytes: [UInt8], _ range: Range<Int>, _ parsesSpecialTokens: Bool, _ place: TextPlace, _ budget: WorkBudget?,
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
      let place = segment.range.lowerBound > range.lowerBound ? .afterToken : place
      for word in preTokenizer.words(in: &text, range: text.indices, place: place, workspace: scratch.workspace) {
        model.append(text[word], scratch: &scratch, to: &output)
      }
    }
  }
}

/// Where a stretch of text stands.
enum TextPlace: Sendable {
  /// At the beginning of the whole text.
  case beginning
  /// After an added token.
  case afterToken
  /// After text.
  case continuation
}
