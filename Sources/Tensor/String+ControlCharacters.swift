extension String {
  /// The text with control characters, but for line breaks and tabs, and with marks that change the direction of writing
  /// written as escapes: what a terminal would obey is shown instead.
  package var escapingControls: String {
    guard unicodeScalars.contains(where: Self.isControl) else { return self }
    var output = ""
    for scalar in unicodeScalars {
      if Self.isControl(scalar) {
        output += "\\u{" + String(scalar.value, radix: 16) + "}"
      } else {
        output.unicodeScalars.append(scalar)
      }
    }
    return output
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0A: false
    case ..<0x20, 0x7F...0x9F, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}
