extension JSONValue {
  /// The document as text in `style`; floats are written as Python's `repr` writes them.
  package func serialized(_ style: JSONStyle = .compact) -> String {
    var writer = JSONWriter(style: style)
    writer.write(self, level: 0)
    return String(decoding: writer.output, as: UTF8.self)
  }
}

extension String {
  /// The text as a JSON string: what needs no escape has none.
  package var quotedAsJSON: String { JSONValue.string(self).serialized() }
}

/// Writes JSON text the way Python's `json.dumps` lays it out.
private struct JSONWriter {
  let style: JSONStyle
  var output: [UInt8] = []

  mutating func write(_ value: JSONValue, level: Int) {
    switch value {
    case .null: write("null")
    case .bool(let value): write(value ? "true" : "false")
    case .integer(let value): write(String(value))
    case .bigInteger(let digits): write(digits)
    case .number(let value): write(FloatText.json(value))
    case .string(let value): writeString(value)
    case .array(let elements):
      guard !elements.isEmpty else { return write("[]") }
      output.append(UInt8(ascii: "["))
      for (offset, element) in elements.enumerated() {
        separate(offset, level: level + 1)
        write(element, level: level + 1)
      }
      close("]", level: level)
    case .object(let object):
      guard !object.isEmpty else { return write("{}") }
      output.append(UInt8(ascii: "{"))
      var entries = object.pairs
      if style.sortsKeys { entries.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) } }
      for (offset, entry) in entries.enumerated() {
        separate(offset, level: level + 1)
        writeString(entry.key)
        write(style.keySeparator)
        write(entry.value, level: level + 1)
      }
      close("}", level: level)
    }
  }

  private mutating func write(_ text: String) { output.append(contentsOf: text.utf8) }

  /// What stands before element `offset` at `level`.
  private mutating func separate(_ offset: Int, level: Int) {
    if offset > 0 { write(style.itemSeparator) }
    breakLine(level: level)
  }

  private mutating func close(_ bracket: String, level: Int) {
    breakLine(level: level)
    write(bracket)
  }

  private mutating func breakLine(level: Int) {
    guard let indentation = style.indentation else { return }
    output.append(UInt8(ascii: "\n"))
    for _ in 0..<level { write(indentation) }
  }

  private mutating func writeString(_ text: String) {
    output.append(UInt8(ascii: "\""))
    if style.escapesNonASCII {
      for scalar in text.unicodeScalars {
        if scalar.value < 0x7F {
          writeByte(UInt8(scalar.value))
        } else {
          for unit in UTF16.encode(scalar) ?? .init() { write("\\u" + Self.hexadecimal(unit)) }
        }
      }
    } else {
      for byte in text.utf8 { writeByte(byte) }
    }
    output.append(UInt8(ascii: "\""))
  }

  private mutating func writeByte(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "\""): write("\\\"")
    case UInt8(ascii: "\\"): write("\\\\")
    case 0x08: write("\\b")
    case 0x0C: write("\\f")
    case 0x0A: write("\\n")
    case 0x0D: write("\\r")
    case 0x09: write("\\t")
    case 0..<0x20: write("\\u" + Self.hexadecimal(UInt16(byte)))
    default: output.append(byte)
    }
  }

  private static func hexadecimal(_ unit: UInt16) -> String {
    let digits = String(unit, radix: 16)
    return String(repeating: "0", count: 4 - digits.count) + digits
  }
}
