extension JSONValue {
  /// Parses a JSON text (RFC 8259, strictly).
  ///
  /// Integers beyond 64 bits keep their digits (`bigInteger`). Of equal keys in one object the last value counts.
  /// - Throws: `JSONError` naming line and column: for malformed text, for arrays and objects nested more than
  ///   `maximumDepth` deep, for numbers beyond a double's range and for escapes of unpaired surrogates.
  public init(parsing text: String, maximumDepth: Int = 128) throws(JSONError) {
    try self.init(parsing: Array(text.utf8), maximumDepth: maximumDepth)
  }

  /// Parses a JSON text given in UTF-8. Invalid UTF-8 is an error. Otherwise as `init(parsing:maximumDepth:)`.
  public init(parsing utf8: [UInt8], maximumDepth: Int = 128) throws(JSONError) {
    var parser = JSONParser(utf8, maximumDepth: maximumDepth)
    self = try parser.document()
  }
}

/// A recursive-descent parser over UTF-8; it recurses once per nested array or object, at most `maximumDepth` times.
private struct JSONParser {
  private let bytes: [UInt8]
  private let maximumDepth: Int
  private var position = 0

  init(_ bytes: [UInt8], maximumDepth: Int) {
    self.bytes = bytes
    self.maximumDepth = maximumDepth
  }

  mutating func document() throws(JSONError) -> JSONValue {
    let value = try value(depth: 0)
    skipWhitespace()
    guard position == bytes.count else { throw failure("found \(found) after the document, expected its end") }
    return value
  }

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  /// The character at the current position, for messages.
  private var found: String {
    guard let byte = current else { return "the end of the text" }
    if byte < 0x20 || byte == 0x7F { return "control character \(byte)" }
    if byte < 0x80 { return "'\(Unicode.Scalar(byte))'" }
    return "byte \(byte)"
  }

  private func failure(_ message: String, at offset: Int? = nil) -> JSONError {
    let prefix = bytes[..<min(offset ?? position, bytes.count)]
    let lineStart = prefix.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    return JSONError(
      message: message, line: prefix.count { $0 == UInt8(ascii: "\n") } + 1, column: prefix.count - lineStart + 1)
  }

  private mutating func skipWhitespace() {
    while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    skipWhitespace()
    switch current {
    case UInt8(ascii: "{"): return try object(depth: depth + 1)
    case UInt8(ascii: "["): return try array(depth: depth + 1)
    case UInt8(ascii: "\""): return .string(try text().string)
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    case let byte? where byte == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte):
      return try number()
    default: throw failure("found \(found), expected a value")
    }
  }

  private mutating func literal(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
    guard bytes[position...].starts(with: word.utf8) else { throw failure("found \(found), expected '\(word)'") }
    position += word.utf8.count
    return value
  }

  private func checkDepth(_ depth: Int) throws(JSONError) {
    guard depth <= maximumDepth else {
      throw failure("arrays and objects are nested more than \(maximumDepth) deep")
    }
  }

  private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
    try checkDepth(depth)
    position += 1
    var elements: [JSONValue] = []
    skipWhitespace()
    if current == UInt8(ascii: "]") {
      position += 1
      return .array([])
    }
    while true {
      elements.append(try value(depth: depth))
      skipWhitespace()
      switch current {
      case UInt8(ascii: ","): position += 1
      case UInt8(ascii: "]"):
        position += 1
        return .array(elements)
      default: throw failure("found \(found) in an array, expected ',' or ']'")
      }
    }
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
    try checkDepth(depth)
    position += 1
    var object = JSONObject()
    skipWhitespace()
    if current == UInt8(ascii: "}") {
      position += 1
      return .object(object)
    }
    while true {
      skipWhitespace()
      guard current == UInt8(ascii: "\"") else {
        throw failure("found \(found) in an object, expected a key in double quotes")
      }
      let key = try text()
      skipWhitespace()
      guard current == UInt8(ascii: ":") else { throw failure("found \(found) after a key, expected ':'") }
      position += 1
      object.set(try value(depth: depth), for: key)
      skipWhitespace()
      switch current {
      case UInt8(ascii: ","): position += 1
      case UInt8(ascii: "}"):
        position += 1
        return .object(object)
      default: throw failure("found \(found) in an object, expected ',' or '}'")
      }
    }
  }

  private mutating func text() throws(JSONError) -> Text {
    let start = position
    position += 1
    var output: [UInt8] = []
    while true {
      guard let byte = current else { throw failure("the string is not closed", at: start) }
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        guard String(validating: output, as: UTF8.self) != nil else {
          throw failure("the string is not valid UTF-8", at: start)
        }
        return Text(utf8: output)
      case UInt8(ascii: "\\"):
        try escape(into: &output)
      case 0..<0x20:
        throw failure("found \(found) in a string, where control characters must be escaped")
      default:
        output.append(byte)
        position += 1
      }
    }
  }

  private mutating func escape(into output: inout [UInt8]) throws(JSONError) {
    let start = position
    position += 1
    let byte = current
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): if let byte { output.append(byte) }
    case UInt8(ascii: "b"): output.append(0x08)
    case UInt8(ascii: "f"): output.append(0x0C)
    case UInt8(ascii: "n"): output.append(0x0A)
    case UInt8(ascii: "r"): output.append(0x0D)
    case UInt8(ascii: "t"): output.append(0x09)
    case UInt8(ascii: "u"):
      var code = try hexadecimalUnit()
      if (0xD800..<0xDC00).contains(code), bytes[position...].starts(with: "\\u".utf8) {
        position += 2
        let low = try hexadecimalUnit()
        if (0xDC00..<0xE000).contains(low) { code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00) }
      }
      guard let scalar = Unicode.Scalar(code) else {
        throw failure("the escape of a surrogate has no partner", at: start)
      }
      output.append(contentsOf: UTF8.encode(scalar) ?? .init())
    default: throw failure("unknown escape in a string", at: start)
    }
  }

  private mutating func hexadecimalUnit() throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = current,
        let digit = Unicode.Scalar(byte).properties.isASCIIHexDigit ? Unicode.Scalar(byte) : nil,
        let value = Character(digit).hexDigitValue
      else { throw failure("found \(found), expected four hexadecimal digits after \\u") }
      code = code << 4 | UInt32(value)
      position += 1
    }
    return code
  }

  private mutating func digits() throws(JSONError) {
    let start = position
    while let byte = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
    guard position > start else { throw failure("found \(found) in a number, expected a digit") }
  }

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = position
    var isInteger = true
    if current == UInt8(ascii: "-") { position += 1 }
    if current == UInt8(ascii: "0") { position += 1 } else { try digits() }
    if current == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      try digits()
    }
    if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
      isInteger = false
      position += 1
      if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
      try digits()
    }
    let literal = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger { return Int(literal).map(JSONValue.integer) ?? .bigInteger(literal) }
    guard let value = Double(literal), value.isFinite else {
      throw failure("the number is beyond the range of a double", at: start)
    }
    return .number(value)
  }
}
