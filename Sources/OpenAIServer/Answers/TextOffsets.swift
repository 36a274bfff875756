internal import Tokenization

/// Where tokens begin in the text that they make, in characters (code points, as clients in Python count them).
///
/// A character may take several tokens: each of them begins where the character does. What a stop string holds back or
/// cuts off moves nothing.
struct TextOffsets: Sendable {
  private var decoder: StreamingDecoder
  private var offset = 0

  /// - Parameters:
  ///   - skipsSpecialTokens: whether control tokens are no part of the text.
  ///   - continuesText: whether the tokens go on with another text.
  init(tokenizer: Tokenizer, skipsSpecialTokens: Bool, continuesText: Bool) {
    decoder = StreamingDecoder(
      tokenizer: tokenizer, skipsSpecialTokens: skipsSpecialTokens, continuesText: continuesText)
  }

  /// Says how many characters come before the first token.
  mutating func start(at offset: Int) { self.offset = offset }

  /// Where the next token begins.
  mutating func next(_ token: TokenID) -> Int {
    defer { offset += decoder.append(token).unicodeScalars.count }
    return offset
  }
}
