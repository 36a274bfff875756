/// What touches an added token: word characters and white space, in Unicode's sense.
enum WordBoundary {
  static func endsInWord(_ text: ArraySlice<UInt8>) -> Bool {
    lastScalar(of: text).map { isWord($0.scalar) } ?? false
  }

  static func startsWithWord(_ text: ArraySlice<UInt8>) -> Bool {
    firstScalar(of: text).map { isWord($0.scalar) } ?? false
  }

  /// Where the white space at the end of `text` begins.
  static func trailingSpaceStart(_ text: ArraySlice<UInt8>) -> Int {
    var rest = text
    while let (scalar, start) = lastScalar(of: rest), scalar.properties.isWhitespace { rest = rest[..<start] }
    return rest.endIndex
  }

  /// Where the white space at the start of `text` ends.
  static func leadingSpaceEnd(_ text: ArraySlice<UInt8>) -> Int {
    var rest = text
    while let (scalar, end) = firstScalar(of: rest), scalar.properties.isWhitespace { rest = rest[end...] }
    return rest.startIndex
  }

  private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    let properties = scalar.properties
    if properties.isAlphabetic || properties.isJoinControl { return true }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
    default: return false
    }
  }

  private static func firstScalar(of text: ArraySlice<UInt8>) -> (scalar: Unicode.Scalar, end: Int)? {
    guard let lead = text.first else { return nil }
    let length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
    let end = min(text.startIndex + length, text.endIndex)
    return String(decoding: text[..<end], as: UTF8.self).unicodeScalars.first.map { ($0, end) }
  }

  private static func lastScalar(of text: ArraySlice<UInt8>) -> (scalar: Unicode.Scalar, start: Int)? {
    guard var start = text.indices.last else { return nil }
    while start > text.startIndex, text[start] & 0xC0 == 0x80 { start -= 1 }
    return String(decoding: text[start...], as: UTF8.self).unicodeScalars.first.map { ($0, start) }
  }
}
