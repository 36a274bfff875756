/// Writes spaces as another character, SentencePiece's `▁`, puts one before a text, and splits before each.
struct Metaspace: Sendable {
  /// Where the character is put before what does not begin with it (the names of `tokenizers`).
  enum PrependScheme: String, CaseIterable, Sendable {
    /// Before every stretch of text.
    case always
    /// At the beginning of the whole text.
    case first
    case never
  }

  /// The character (UTF-8).
  let character: [UInt8]
  let prepends: PrependScheme
  /// Whether each of the characters begins a word.
  let splits: Bool

  func apply(to bytes: inout [UInt8], pieces: inout [Range<Int>], place: TextPlace) {
    let spaces = Replacement(pattern: .text([UInt8(ascii: " ")]), content: character)
    var output: [UInt8] = []
    var words: [Range<Int>] = []
    for piece in pieces {
      let start = output.count
      let text = spaces.applied(to: bytes, piece) ?? Array(bytes[piece])
      let isAtPlace =
        switch prepends {
        case .always: place != .continuation
        case .first: place == .beginning && piece.lowerBound == 0
        case .never: false
        }
      if isAtPlace, !text.starts(with: character) { output += character }
      output += text
      if splits {
        words += Self.words(in: output, start..<output.count, beforeEach: character)
      } else {
        words.append(start..<output.count)
      }
    }
    (bytes, pieces) = (output, words)
  }

  /// Words of `bytes[range]`, each of which begins with the character, but for the first.
  private static func words(in bytes: [UInt8], _ range: Range<Int>, beforeEach character: [UInt8]) -> [Range<Int>] {
    words(in: bytes, range, before: character) { _, _ in true }
  }

  /// Words of `bytes[range]` that begin with spaces as SentencePiece writes them, and have them nowhere else.
  static func wordsBeforeSpaces(in bytes: [UInt8], _ range: Range<Int>) -> [Range<Int>] {
    words(in: bytes, range, before: Replacement.space) { place, endOfLast in place != endOfLast }
  }

  /// Whether a piece of a vocabulary has spaces at its beginning alone, so that none reaches across the words of a text.
  static func hasSpacesFirst(_ text: ArraySlice<UInt8>) -> Bool {
    wordsBeforeSpaces(in: Array(text), 0..<text.count).count <= 1
  }

  /// Splits `bytes[range]` before those places of the character that count.
  ///
  /// - Parameter counts: says so of the place of one, and where the one before it ends.
  private static func words(
    in bytes: [UInt8], _ range: Range<Int>, before character: [UInt8], where counts: (Int, Int) -> Bool
  ) -> [Range<Int>] {
    var words: [Range<Int>] = []
    var start = range.lowerBound
    var index = range.lowerBound
    var endOfLast = -1
    while let next = bytes[index..<range.upperBound].firstIndex(of: character[0]) {
      index = next + 1
      guard bytes[next..<range.upperBound].starts(with: character) else { continue }
      if next > start, counts(next, endOfLast) {
        words.append(start..<next)
        start = next
      }
      endOfLast = next + character.count
    }
    if start < range.upperBound { words.append(start..<range.upperBound) }
    return words
  }
}
