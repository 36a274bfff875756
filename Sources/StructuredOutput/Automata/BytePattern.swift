/// A regular language over bytes, as an expression.
indirect enum BytePattern: Sendable {
  case bytes(ByteSet)
  case sequence([BytePattern])
  /// One of several; of none, nothing matches.
  case choice([BytePattern])
  /// `minimum` to `maximum` times; `nil` for any number.
  case repeated(BytePattern, minimum: Int, maximum: Int?)
  /// Nothing, where the text begins.
  case atStart
  /// Nothing, where the text ends.
  case atEnd

  static let nothing = BytePattern.sequence([])
  static let never = BytePattern.choice([])

  static func literal(_ text: String) -> BytePattern { literal(Array(text.utf8)) }
  static func literal(_ bytes: [UInt8]) -> BytePattern { .sequence(bytes.map { .bytes(ByteSet([$0])) }) }
  static func range(_ characters: ClosedRange<Character>) -> BytePattern {
    guard let low = characters.lowerBound.asciiValue, let high = characters.upperBound.asciiValue else { return never }
    return .bytes(ByteSet(low...high))
  }
  static func any(of characters: String) -> BytePattern { .bytes(ByteSet(characters.utf8)) }
  static func optional(_ pattern: BytePattern) -> BytePattern { .repeated(pattern, minimum: 0, maximum: 1) }
  static func many(_ pattern: BytePattern) -> BytePattern { .repeated(pattern, minimum: 0, maximum: nil) }

  static let digit = BytePattern.range("0"..."9")
}

extension BytePattern {
  /// The UTF-8 encodings of the Unicode scalar values in `range`; surrogates among them are left out.
  static func scalars(_ range: ClosedRange<UInt32>) -> BytePattern {
    var parts: [BytePattern] = []
    // Lengths of encodings, and the gap that surrogates leave.
    for block: ClosedRange<UInt32> in [
      0...0x7F, 0x80...0x7FF, 0x800...0xD7FF, 0xE000...0xFFFF, 0x10000...0x10FFFF,
    ] where block.overlaps(range) {
      let part = range.clamped(to: block)
      parts += encodings(from: utf8(part.lowerBound)[...], through: utf8(part.upperBound)[...])
    }
    return .choice(parts)
  }

  /// Every Unicode scalar value.
  static let anyScalar = scalars(0...0x10FFFF)

  private static func utf8(_ value: UInt32) -> [UInt8] {
    guard let scalar = Unicode.Scalar(value) else { return [] }
    return Array(String(Character(scalar)).utf8)
  }

  /// Encodings of one length, in order from `low` through `high`.
  private static func encodings(from low: ArraySlice<UInt8>, through high: ArraySlice<UInt8>) -> [BytePattern] {
    guard let first = low.first, let last = high.first else { return [.nothing] }
    let (lowRest, highRest) = (low.dropFirst(), high.dropFirst())
    func joined(_ head: ClosedRange<UInt8>, _ rests: [BytePattern]) -> BytePattern {
      .sequence([.bytes(ByteSet(head)), .choice(rests)])
    }
    if lowRest.isEmpty { return [.bytes(ByteSet(first...last))] }
    if first == last { return [joined(first...first, encodings(from: lowRest, through: highRest))] }
    let least = Array(repeating: UInt8(0x80), count: lowRest.count)[...]
    let most = Array(repeating: UInt8(0xBF), count: lowRest.count)[...]
    var parts: [BytePattern] = []
    var (start, end) = (Int(first), Int(last))
    if !lowRest.elementsEqual(least) {
      parts.append(joined(first...first, encodings(from: lowRest, through: most)))
      start += 1
    }
    var tail: [BytePattern] = []
    if !highRest.elementsEqual(most) {
      tail.append(joined(last...last, encodings(from: least, through: highRest)))
      end -= 1
    }
    if start <= end { parts.append(joined(UInt8(start)...UInt8(end), encodings(from: least, through: most))) }
    return parts + tail
  }
}
