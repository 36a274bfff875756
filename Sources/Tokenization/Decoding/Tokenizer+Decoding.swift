extension Tokenizer {
  /// The text of `tokens`. Bytes that are not valid UTF-8 become U+FFFD, and ids that are not in use are left out.
  ///
  /// A space that encoding puts before a text is left out again.
  ///
  /// - Parameter skipsSpecialTokens: whether special tokens are left out as well.
  public func decode(_ tokens: some Sequence<TokenID>, skipsSpecialTokens: Bool = false) -> String {
    decode(tokens, skipsSpecialTokens: skipsSpecialTokens, continuesText: false)
  }

  /// The same for tokens that go on with a text, whose first space is theirs.
  package func decode(
    _ tokens: some Sequence<TokenID>, skipsSpecialTokens: Bool = false, continuesText: Bool
  ) -> String {
    var bytes: [UInt8] = []
    var trimmer = StartTrimmer(decodedStart, continuesText: continuesText)
    for token in tokens {
      trimmer.append(token, of: vocabulary, skipsSpecialTokens: skipsSpecialTokens, to: &bytes)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
