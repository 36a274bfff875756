/// The one way in which keys, constants and strings with patterns are written: what needs no escape has none.
enum JSONText {
  /// Scalars that a string cannot hold as they are, ascending.
  static let escapedScalars: [UInt32] = Array(0..<0x20) + [0x22, 0x5C]

  /// The escape of one of them.
  static func escape(_ scalar: UInt32) -> String {
    switch scalar {
    case 0x08: return "\\b"
    case 0x09: return "\\t"
    case 0x0A: return "\\n"
    case 0x0C: return "\\f"
    case 0x0D: return "\\r"
    case 0x22: return "\\\""
    case 0x5C: return "\\\\"
    default:
      let digits = String(scalar, radix: 16)
      return "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
  }

  /// A string in quotes.
  static func quoted(_ text: String) -> String {
    var output = "\""
    for scalar in text.unicodeScalars {
      if escapedScalars.contains(scalar.value) {
        output += escape(scalar.value)
      } else {
        output.unicodeScalars.append(scalar)
      }
    }
    return output + "\""
  }
}
