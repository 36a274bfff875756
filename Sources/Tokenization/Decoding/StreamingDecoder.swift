/// Turns tokens into text as they come, holding back a character until all of its bytes are there.
///
/// What `append` and `finish` return, one after the other, is what `Tokenizer.decode` gives for all the tokens at once.
public struct StreamingDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let skipsSpecialTokens: Bool
  private let kept: Set<TokenID>
  private var trimmer: StartTrimmer
  /// The first bytes of a character that is not complete, at most three.
  private var pending: [UInt8] = []

  /// - Parameters:
  ///   - skipsSpecialTokens: whether special tokens are left out of the text.
  ///   - kept: special tokens that are not.
  ///   - continuesText: whether the tokens go on with a text. Else a space that the tokenizer puts before texts is left
  ///     out at the beginning.
  public init(
    tokenizer: Tokenizer, skipsSpecialTokens: Bool, keeping kept: Set<TokenID> = [], continuesText: Bool = false
  ) {
    self.tokenizer = tokenizer
    trimmer = StartTrimmer(tokenizer.decodedStart, continuesText: continuesText)
    self.kept = kept
    self.skipsSpecialTokens = skipsSpecialTokens
  }

  /// The text that `token` completes; empty when nothing is complete yet.
  public mutating func append(_ token: TokenID) -> String {
    trimmer.append(
      token, of: tokenizer.vocabulary, skipsSpecialTokens: skipsSpecialTokens && !kept.contains(token), to: &pending)
    let complete = pending.count - Self.incompleteSuffixLength(pending)
    guard complete > 0 else { return "" }
    defer { pending.removeSubrange(..<complete) }
    return String(decoding: pending[..<complete], as: UTF8.self)
  }

  /// The end of the text: U+FFFD when the last character stayed incomplete, else nothing.
  public mutating func finish() -> String {
    defer { pending.removeAll() }
    return String(decoding: pending, as: UTF8.self)
  }

  /// The number of bytes at the end that may still become a character.
  private static func incompleteSuffixLength(_ bytes: [UInt8]) -> Int {
    for length in 1...3 where length <= bytes.count {
      let lead = bytes[bytes.count - length]
      if lead & 0xC0 == 0x80 { continue }
      let expected = lead < 0xC2 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 1
      guard length < expected else { return 0 }
      // Some second bytes rule a character out: over-long forms, surrogates, what lies beyond U+10FFFF.
      if length > 1 {
        let second = bytes[bytes.count - length + 1]
        switch lead {
        case 0xE0 where second < 0xA0, 0xED where second > 0x9F, 0xF0 where second < 0x90, 0xF4 where second > 0x8F:
          return 0
        default: break
        }
      }
      return length
    }
    return 0
  }
}
