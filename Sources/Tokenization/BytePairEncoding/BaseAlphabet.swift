/// The tokens that merging starts from.
enum BaseAlphabet: Sendable {
  /// The token of each byte, −1 where the vocabulary lacks it; such a byte is left out, as `tokenizers` does.
  case bytes([TokenID])
  case characters(CharacterTokens)

  /// Appends the tokens of `word`.
  func append(_ word: ArraySlice<UInt8>, to symbols: inout [TokenID]) {
    switch self {
    case .bytes(let tokens): for byte in word where tokens[Int(byte)] >= 0 { symbols.append(tokens[Int(byte)]) }
    case .characters(let tokens): tokens.append(word, to: &symbols)
    }
  }

  /// Whether every text has tokens, each of which stands for a limited part of it.
  var writesAnyText: Bool {
    switch self {
    case .bytes(let tokens): tokens.allSatisfy { $0 >= 0 }
    case .characters(let tokens): tokens.byteTokens != nil
    }
  }
}

/// Tokens of characters; one without a token is written in tokens of its bytes, or as the unknown token.
struct CharacterTokens: Sendable {
  /// The tokens of characters below U+10000, −1 where there is none, and of the others.
  private var basic = [TokenID](repeating: -1, count: 0x10000)
  private var others: [UInt32: TokenID] = [:]
  /// The tokens of the 256 bytes.
  let byteTokens: [TokenID]?
  let unknown: TokenID?
  /// Whether unknown characters in a row are one token.
  let fusesUnknown: Bool

  init(of vocabulary: Vocabulary, byteTokens: [TokenID]?, unknown: TokenID?, fusesUnknown: Bool) {
    self.byteTokens = byteTokens
    self.unknown = unknown
    self.fusesUnknown = fusesUnknown
    for index in 0..<vocabulary.count {
      let text = vocabulary.texts[index]
      guard let (scalar, length) = Self.scalar(in: text, at: text.startIndex), length == text.count,
        let id = vocabulary.id(ofUTF8: text)
      else { continue }
      if scalar < 0x10000 { basic[Int(scalar)] = id } else { others[scalar] = id }
    }
  }

  func append(_ word: ArraySlice<UInt8>, to symbols: inout [TokenID]) {
    var index = word.startIndex
    var isAfterUnknown = false
    while let (scalar, length) = Self.scalar(in: word, at: index) {
      let character = word[index..<index + length]
      index += length
      let known = scalar < 0x10000 ? basic[Int(scalar)] : others[scalar] ?? -1
      if known >= 0 {
        symbols.append(known)
        isAfterUnknown = false
      } else if let byteTokens {
        for byte in character { symbols.append(byteTokens[Int(byte)]) }
      } else if let unknown {
        if !(isAfterUnknown && fusesUnknown) { symbols.append(unknown) }
        isAfterUnknown = true
      }
    }
  }

  /// The character at `index` of UTF-8 and its length; a byte that begins none counts as a character of its own value.
  private static func scalar(in text: ArraySlice<UInt8>, at index: Int) -> (value: UInt32, length: Int)? {
    guard index < text.endIndex else { return nil }
    let lead = text[index]
    let length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
    guard length > 1, index + length <= text.endIndex else { return (UInt32(lead), 1) }
    var value = UInt32(lead) & (0x7F >> UInt32(length))
    for byte in text[(index + 1)..<(index + length)] { value = value << 6 | UInt32(byte & 0x3F) }
    return (value, length)
  }
}
