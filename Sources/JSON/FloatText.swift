/// Floats as Python writes them.
package enum FloatText {
  /// Python's `repr(float)`: the shortest digits that read back as `value`, with an exponent below 1e-4 and from 1e16.
  package static func representation(_ value: Double) -> String {
    guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
    // Swift's description has the same shortest digits; only the layout differs.
    var digits: [Character] = []
    var pointPosition: Int?
    var exponent = 0
    let description = value.magnitude.description
    var rest = description[...]
    if let mark = rest.firstIndex(of: "e") {
      exponent = Int(rest[rest.index(after: mark)...]) ?? 0
      rest = rest[..<mark]
    }
    for character in rest {
      if character == "." { pointPosition = digits.count } else { digits.append(character) }
    }
    // The value is 0.DIGITS × 10^scale once leading and trailing zeros are gone.
    var scale = (pointPosition ?? digits.count) + exponent
    while digits.count > 1, digits.first == "0" {
      digits.removeFirst()
      scale -= 1
    }
    while digits.count > 1, digits.last == "0" { digits.removeLast() }
    let sign = value.sign == .minus ? "-" : ""
    if digits == ["0"] { return sign + "0.0" }
    let text = String(digits)
    if scale - 1 < -4 || scale - 1 >= 16 {
      let mantissa = digits.count == 1 ? text : "\(digits[0])." + String(digits[1...])
      let magnitude = String((scale - 1).magnitude)
      return "\(sign)\(mantissa)e\(scale > 0 ? "+" : "-")\(magnitude.count < 2 ? "0" : "")\(magnitude)"
    }
    if scale <= 0 { return sign + "0." + String(repeating: "0", count: -scale) + text }
    if scale >= digits.count { return sign + text + String(repeating: "0", count: scale - digits.count) + ".0" }
    return sign + String(digits[..<scale]) + "." + String(digits[scale...])
  }

  /// As `json.dumps` writes it, which names the values that JSON has no text for.
  package static func json(_ value: Double) -> String {
    if value.isFinite { return representation(value) }
    return value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity"
  }
}
