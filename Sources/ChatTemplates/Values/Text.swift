/// A string with Python's idea of what a string is: a sequence of code points.
///
/// Swift's `String` compares by canonical equivalence and counts grapheme clusters; Python does neither. A `Text`
/// holds valid UTF-8, so equality of bytes is equality of code points and bytewise order is code point order.
struct Text: Hashable, Sendable, Comparable, ExpressibleByStringLiteral {
  /// The text in UTF-8; valid by construction.
  let utf8: [UInt8]
  /// Whether this is markup (Jinja's `safe` and `escape`), which escapes what is added to it.
  let isMarkup: Bool

  /// A text of `utf8`, which must be valid UTF-8.
  init(utf8: [UInt8], isMarkup: Bool = false) {
    self.utf8 = utf8
    self.isMarkup = isMarkup
  }

  init(_ bytes: some Sequence<UInt8>) { self.init(utf8: Array(bytes)) }

  init(_ string: String) { self.init(utf8: Array(string.utf8)) }

  init(stringLiteral value: String) { self.init(value) }

  init(scalars: some Sequence<Unicode.Scalar>) {
    var bytes: [UInt8] = []
    for scalar in scalars { bytes.append(contentsOf: UTF8.encode(scalar) ?? .init()) }
    self.init(utf8: bytes)
  }

  static func == (left: Text, right: Text) -> Bool { left.utf8 == right.utf8 }

  func hash(into hasher: inout Hasher) { hasher.combine(utf8) }

  static func < (left: Text, right: Text) -> Bool { left.utf8.lexicographicallyPrecedes(right.utf8) }

  var string: String { String(decoding: utf8, as: UTF8.self) }
  var isEmpty: Bool { utf8.isEmpty }
  var scalars: [Unicode.Scalar] { Array(string.unicodeScalars) }

  /// Number of code points: every byte that is not a continuation byte starts one.
  var count: Int {
    var count = 0
    for byte in utf8 where byte & 0xC0 != 0x80 { count += 1 }
    return count
  }

  /// Whether every byte is one code point.
  var isASCII: Bool { utf8.allSatisfy { $0 < 0x80 } }

  static func + (left: Text, right: Text) -> Text { Text(utf8: left.utf8 + right.utf8) }

  /// The text with HTML's five special characters replaced by entities; markup stays as it is.
  var escaped: Text {
    if isMarkup { return self }
    var bytes: [UInt8] = []
    for byte in utf8 {
      switch byte {
      case UInt8(ascii: "&"): bytes.append(contentsOf: "&amp;".utf8)
      case UInt8(ascii: "<"): bytes.append(contentsOf: "&lt;".utf8)
      case UInt8(ascii: ">"): bytes.append(contentsOf: "&gt;".utf8)
      case UInt8(ascii: "'"): bytes.append(contentsOf: "&#39;".utf8)
      case UInt8(ascii: "\""): bytes.append(contentsOf: "&#34;".utf8)
      default: bytes.append(byte)
      }
    }
    return Text(utf8: bytes, isMarkup: true)
  }
}

extension Unicode.Scalar {
  /// What Python's `str.isspace` and `str.strip` take for white space.
  var isPythonWhitespace: Bool {
    switch value {
    case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }

  /// What Python's `str.isprintable` accepts; everything else is escaped by `repr`.
  var isPythonPrintable: Bool {
    if self == " " { return true }
    switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator, .spaceSeparator:
      return false
    default: return true
    }
  }
}
