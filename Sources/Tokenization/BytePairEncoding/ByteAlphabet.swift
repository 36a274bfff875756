/// The byte-level alphabet of GPT-2: every byte has one printable character that stands for it in a vocabulary.
///
/// Printable Latin-1 bytes stand for themselves; the 68 others take U+0100, U+0101, … in order, so a space is `Ġ` (U+0120).
enum ByteAlphabet {
  /// The character of each byte.
  static let scalars: [Unicode.Scalar] = {
    var shifted: UInt32 = 0x100
    return (UInt8.min...UInt8.max).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF:
        return Unicode.Scalar(byte)
      default:
        defer { shifted += 1 }
        return Unicode.Scalar(shifted) ?? "\u{FFFD}"
      }
    }
  }()

  /// The byte that each character below U+0144 stands for, −1 for a character outside the alphabet.
  private static let byteOfScalar: [Int16] = {
    var table = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { table[Int(scalar.value)] = Int16(byte) }
    return table
  }()

  /// The bytes that `text` stands for, appended to `output`: each character's byte if all of them are in the alphabet, else
  /// the text's own UTF-8. Says which of the two it was.
  @discardableResult
  static func appendBytes(ofToken text: ArraySlice<UInt8>, to output: inout [UInt8]) -> Bool {
    let table = byteOfScalar
    let start = output.count
    var index = text.startIndex
    while index < text.endIndex {
      let lead = text[index]
      var scalar = Int(lead)
      index += 1
      // The alphabet ends at U+0143, so two-byte characters are the longest that can be in it.
      if lead >= 0xC0, index < text.endIndex {
        scalar = lead < 0xE0 ? (Int(lead & 0x1F) << 6 | Int(text[index] & 0x3F)) : Int.max
        index += 1
      }
      guard scalar < table.count, table[scalar] >= 0 else {
        output.removeSubrange(start...)
        output.append(contentsOf: text)
        return false
      }
      output.append(UInt8(truncatingIfNeeded: table[scalar]))
    }
    return true
  }
}
