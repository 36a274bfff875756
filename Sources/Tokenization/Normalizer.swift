internal import Foundation

/// Brings text to its canonical composed form (NFC), or leaves it as it is.
enum Normalizer: Sendable {
  case none
  case nfc

  /// The normalized form of `bytes[range]` (UTF-8); `nil` when that is what it is already.
  func normalized(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8]? {
    guard self == .nfc, !Self.isPlainlyNFC(bytes[range]) else { return nil }
    let text = String(decoding: bytes[range], as: UTF8.self)
    return Array(Self.composed(text).utf8)
  }

  func normalized(_ text: String) -> String {
    self == .nfc ? Self.composed(text) : text
  }

  /// NFC as `tokenizers` has it. Characters that take no part in it are copied, and what lies between is composed.
  private static func composed(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: standsAlone) else { return text.precomposedStringWithCanonicalMapping }
    var output = String.UnicodeScalarView()
    var run = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      guard standsAlone(scalar) else {
        run.append(scalar)
        continue
      }
      output.append(contentsOf: String(run).precomposedStringWithCanonicalMapping.unicodeScalars)
      output.append(scalar)
      run = String.UnicodeScalarView()
    }
    output.append(contentsOf: String(run).precomposedStringWithCanonicalMapping.unicodeScalars)
    return String(output)
  }

  /// Whether a character neither composes, decomposes nor changes places with a neighbour.
  private static func standsAlone(_ scalar: Unicode.Scalar) -> Bool {
    guard scalar.value >= 0x7F0 else { return false }
    // The tables of `tokenizers` are those of Unicode 9: what was assigned since is unknown to them.
    guard let age = scalar.properties.age, age.major <= 9 else { return true }
    // Foundation composes by the low 16 bits: U+10054 and U+0323 would become U+1E6C, as if the first were "T". Beyond the
    // basic plane only these blocks compose or decompose: Kaithi to Siddham, musical symbols, compatibility ideographs.
    switch scalar.value {
    case ..<0x10000, 0x11080...0x115BF, 0x1D15E...0x1D1C0, 0x2F800...0x2FA1D: return false
    default: return scalar.properties.canonicalCombiningClass == .notReordered
    }
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
