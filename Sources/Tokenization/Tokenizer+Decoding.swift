extension Tokenizer {
  /// The text of `tokens`. Bytes that are not valid UTF-8 become U+FFFD, and ids that are not in use are left out.
  ///
  /// - Parameter skipsSpecialTokens: whether special tokens are left out as well.
  public func decode(_ tokens: some Sequence<TokenID>, skipsSpecialTokens: Bool = false) -> String {
    var bytes: [UInt8] = []
    for token in tokens { appendBytes(of: token, skipsSpecialTokens: skipsSpecialTokens, to: &bytes) }
    return String(decoding: bytes, as: UTF8.self)
  }

  func appendBytes(of token: TokenID, skipsSpecialTokens: Bool, to output: inout [UInt8]) {
    if skipsSpecialTokens, vocabulary.isSkipped(token) { return }
    if let bytes = vocabulary.bytes(of: token) { output.append(contentsOf: bytes) }
  }
}
