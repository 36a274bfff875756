/// How the texts of a vocabulary become the bytes that its tokens stand for.
enum PieceDecoder: Sendable {
  /// Each character is a byte of the byte-level alphabet.
  case byteLevel
  /// Texts are themselves, but for what is replaced; with `readsBytes` a text such as `<0x0A>` is that byte.
  case texts(replacements: [Replacement], readsBytes: Bool)

  /// SentencePiece's: `▁` is a space.
  static let sentencePiece = PieceDecoder.texts(replacements: [.unescapingSpaces], readsBytes: true)

  /// Appends the bytes of a token's text.
  func appendBytes(of text: ArraySlice<UInt8>, to output: inout [UInt8]) {
    switch self {
    case .byteLevel: ByteAlphabet.appendBytes(ofToken: text, to: &output)
    case .texts(let replacements, let readsBytes):
      var result = Array(text)
      for replacement in replacements { result = replacement.applied(to: result, result.indices) ?? result }
      if readsBytes, let byte = Self.byte(of: result) {
        output.append(byte)
      } else {
        output += result
      }
    }
  }

  /// The text of the token of a byte: `<0x0A>`.
  static func text(ofByte byte: UInt8) -> String {
    "<0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true) + ">"
  }

  /// The byte that such a text names; hexadecimal digits may be small.
  private static func byte(of text: [UInt8]) -> UInt8? {
    guard text.count == 6, text.starts(with: "<0x".utf8), text[5] == UInt8(ascii: ">") else { return nil }
    var value: UInt8 = 0
    for digit in text[3...4] {
      guard let number = Character(Unicode.Scalar(digit)).hexDigitValue else { return nil }
      value = value << 4 | UInt8(truncatingIfNeeded: number)
    }
    return value
  }
}

/// What decoding leaves out at the beginning of a text, where encoding puts a space before it.
enum DecodedStart: Sendable, Equatable {
  /// Nothing.
  case whole
  /// As many of this character (UTF-8) as there are, at most `count` (the decoder `Strip`).
  case without(character: [UInt8], count: Int)
  /// All of this character in the first token's text (the decoder `Metaspace`).
  case firstTokenWithout(character: [UInt8])
}

/// Leaves out what `DecodedStart` says, of text that comes in pieces.
struct StartTrimmer: Sendable {
  private let start: DecodedStart
  private var isFirstToken = true
  /// Characters that may still be left out.
  private var remaining: Int

  /// - Parameter continuesText: whether text comes before it, so that nothing is left out.
  init(_ start: DecodedStart, continuesText: Bool) {
    self.start = continuesText ? .whole : start
    if case .without(_, let count) = self.start { remaining = count } else { remaining = 0 }
  }

  /// Appends a token's bytes to `output`, which holds nothing that has been given out before.
  mutating func append(
    _ token: TokenID, of vocabulary: Vocabulary, skipsSpecialTokens: Bool, to output: inout [UInt8]
  ) {
    if skipsSpecialTokens, vocabulary.isSkipped(token) { return }
    guard let bytes = vocabulary.bytes(of: token) else { return }
    switch start {
    case .whole: output += bytes
    case .firstTokenWithout(let character):
      if isFirstToken, let text = vocabulary.utf8(of: token) {
        let rest = Replacement(pattern: .text(character), content: []).applied(to: Array(text), 0..<text.count)
        output += rest ?? Array(bytes)
      } else {
        output += bytes
      }
    case .without(let character, _):
      output += bytes
      while remaining > 0, output.starts(with: character) {
        output.removeFirst(character.count)
        remaining -= 1
      }
      // A part of the character may become all of it.
      if !output.isEmpty, !(output.count < character.count && character.starts(with: output)) { remaining = 0 }
    }
    isFirstToken = false
  }
}
