/// Puts a text in the place of others.
struct Replacement: Sendable {
  /// What is replaced.
  enum Pattern: Sendable {
    /// Each occurrence of a text (UTF-8), which is not empty.
    case text([UInt8])
    case expression(RegularExpression)
  }

  let pattern: Pattern
  let content: [UInt8]

  /// U+2581, `▁`, with which SentencePiece writes spaces.
  static let space: [UInt8] = [0xE2, 0x96, 0x81]
  /// Spaces as SentencePiece writes them.
  static let escapingSpaces = Replacement(pattern: .text([UInt8(ascii: " ")]), content: space)
  /// SentencePiece's spaces as spaces.
  static let unescapingSpaces = Replacement(pattern: .text(space), content: [UInt8(ascii: " ")])

  /// Whether what is put in is never shorter than what it replaces.
  var keepsLength: Bool {
    switch pattern {
    case .text(let text): content.count >= text.count
    case .expression: false
    }
  }

  /// `bytes[range]` (UTF-8) with everything replaced; `nil` when there is nothing to replace.
  func applied(to bytes: [UInt8], _ range: Range<Int>) -> [UInt8]? {
    var output: [UInt8] = []
    var copied = range.lowerBound
    func replace(_ match: Range<Int>) {
      output += bytes[copied..<match.lowerBound]
      output += content
      copied = match.upperBound
    }
    switch pattern {
    case .text(let text):
      guard let first = text.first else { return nil }
      var index = range.lowerBound
      while let start = bytes[index..<range.upperBound].firstIndex(of: first) {
        if bytes[start..<range.upperBound].starts(with: text) {
          replace(start..<start + text.count)
          index = copied
        } else {
          index = start + 1
        }
      }
    case .expression(let expression):
      expression.forEachMatch(
        in: NewerCharacters.replaced(in: bytes) ?? bytes, range: range, workspace: RegularExpression.Workspace(),
        replace)
    }
    guard copied > range.lowerBound || !output.isEmpty else { return nil }
    return output + bytes[copied..<range.upperBound]
  }
}
