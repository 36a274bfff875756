internal import Foundation

/// Brings text to its canonical composed form (NFC), or leaves it as it is.
enum Normalizer: Sendable {
  case none
  case nfc

  /// The normalized form of `bytes[range]` (UTF-8); `nil` when that is what it is already.
  func normalized(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8]? {
    guard self == .nfc, !Self.isPlainlyNFC(bytes[range]) else { return nil }
    let text = String(decoding: bytes[range], as: UTF8.self)
    return Array(text.precomposedStringWithCanonicalMapping.utf8)
  }

  func normalized(_ text: String) -> String {
    self == .nfc ? text.precomposedStringWithCanonicalMapping : text
  }

  /// Whether all characters are of blocks in which nothing combines or decomposes. `false` does not mean "not NFC".
  private static func isPlainlyNFC(_ bytes: ArraySlice<UInt8>) -> Bool {
    var index = bytes.startIndex
    while index < bytes.endIndex {
      let lead = bytes[index]
      if lead < 0xCC {
        // ASCII, continuation bytes and U+0080…U+02FF.
        index += 1
        continue
      }
      switch lead {
      case 0xD0, 0xD1:  // Cyrillic, U+0400…U+047F
        index += 2
      case 0xE4...0xE9 where index + 1 < bytes.endIndex:  // U+4E00…U+9FFF and a little before: ideographs
        index += 3
      case 0xEA...0xED where Self.isHangulSyllable(bytes, index):
        index += 3
      default:
        return false
      }
    }
    return true
  }

  private static func isHangulSyllable(_ bytes: ArraySlice<UInt8>, _ index: Int) -> Bool {
    guard index + 2 < bytes.endIndex else { return false }
    let scalar =
      UInt32(bytes[index] & 0x0F) << 12 | UInt32(bytes[index + 1] & 0x3F) << 6 | UInt32(bytes[index + 2] & 0x3F)
    return 0xAC00...0xD7A3 ~= scalar
  }
}
