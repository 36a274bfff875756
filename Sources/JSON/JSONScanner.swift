/// Reads JSON (RFC 8259, strictly) front to back, without a tree unless one is asked for, so that a vocabulary of 150,000
/// strings costs no allocation each.
///
/// Objects and arrays are walked with `beginObject` / `nextMember` and `beginArray` / `nextElement`, or taken whole with
/// `readValue`; what a caller has no use for is passed over with `skipValue`. Nesting is bounded, so hostile input cannot
/// exhaust the stack. Every error names the line, the column, what was found and what was expected.
package struct JSONScanner {
  /// What the next value is, told by its first byte.
  package enum Kind: String {
    case object = "an object"
    case array = "an array"
    case string = "a string"
    case number = "a number"
    case boolean = "true or false"
    case null = "null"
  }

  private let bytes: [UInt8]
  private let maximumDepth: Int
  private var position = 0
  /// For each open container, whether it has had an element yet (so that a comma must come first).
  private var hasElements: [Bool] = []

  /// - Parameter skipsByteOrderMark: whether a mark before the text is passed over, as some editors leave it in files.
  package init(_ bytes: [UInt8], maximumDepth: Int = 128, skipsByteOrderMark: Bool = false) {
    self.bytes = bytes
    self.maximumDepth = maximumDepth
    if skipsByteOrderMark, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  // MARK: Errors

  private func failure(_ message: String, at offset: Int? = nil) -> JSONError {
    let prefix = bytes[..<min(offset ?? position, bytes.count)]
    let lineStart = prefix.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    return JSONError(
      message: message, line: prefix.count { $0 == UInt8(ascii: "\n") } + 1, column: prefix.count - lineStart + 1)
  }

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  /// The character at the current position, for messages.
  private var found: String {
    guard let byte = current else { return "the end of the text" }
    if byte < 0x20 || byte == 0x7F { return "control character \(byte)" }
    if byte < 0x80 { return "'\(Unicode.Scalar(byte))'" }
    return "byte \(byte)"
  }

  // MARK: Structure

  private mutating func skipWhitespace() {
    while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private mutating func consume(_ byte: UInt8) -> Bool {
    skipWhitespace()
    guard current == byte else { return false }
    position += 1
    return true
  }

  package mutating func peekKind() throws(JSONError) -> Kind {
    skipWhitespace()
    switch current {
    case UInt8(ascii: "{"): return .object
    case UInt8(ascii: "["): return .array
    case UInt8(ascii: "\""): return .string
    case let byte? where byte == UInt8(ascii: "-") || Self.isDigit(byte): return .number
    case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
    case UInt8(ascii: "n"): return .null
    default: throw failure("found \(found), expected a value")
    }
  }

  private mutating func expect(_ kind: Kind) throws(JSONError) {
    guard try peekKind() == kind else { throw failure("found \(found), expected \(kind.rawValue)") }
  }

  private mutating func open(_ kind: Kind) throws(JSONError) {
    try expect(kind)
    guard hasElements.count < maximumDepth else {
      throw failure("arrays and objects are nested more than \(maximumDepth) deep")
    }
    position += 1
    hasElements.append(false)
  }

  package mutating func beginObject() throws(JSONError) { try open(.object) }
  package mutating func beginArray() throws(JSONError) { try open(.array) }

  /// Moves to the next element of the innermost array; `false`, and the array is closed, when there is none.
  package mutating func nextElement() throws(JSONError) -> Bool {
    try advance(in: "an array", closing: UInt8(ascii: "]"))
  }

  /// Moves to the next member of the innermost object and leaves its key in `key`, as UTF-8, replacing what was there.
  package mutating func nextMember(_ key: inout [UInt8]) throws(JSONError) -> Bool {
    guard try advance(in: "an object", closing: UInt8(ascii: "}")) else { return false }
    guard current == UInt8(ascii: "\"") else {
      throw failure("found \(found) in an object, expected a key in double quotes")
    }
    key.removeAll(keepingCapacity: true)
    try appendString(to: &key)
    guard consume(UInt8(ascii: ":")) else { throw failure("found \(found) after a key, expected ':'") }
    return true
  }

  /// Moves to the next member of the innermost object and gives its key.
  package mutating func nextKey() throws(JSONError) -> String? {
    var key: [UInt8] = []
    return try nextMember(&key) ? String(decoding: key, as: UTF8.self) : nil
  }

  private mutating func advance(in container: String, closing: UInt8) throws(JSONError) -> Bool {
    if consume(closing) {
      hasElements.removeLast()
      return false
    }
    if hasElements[hasElements.count - 1] {
      guard consume(UInt8(ascii: ",")) else {
        throw failure("found \(found) in \(container), expected ',' or '\(Unicode.Scalar(closing))'")
      }
      skipWhitespace()
    }
    hasElements[hasElements.count - 1] = true
    return true
  }

  /// Requires that nothing but white space is left.
  package mutating func expectEnd() throws(JSONError) {
    skipWhitespace()
    guard position == bytes.count else { throw failure("found \(found) after the document, expected its end") }
  }

  // MARK: Strings

  /// Appends the UTF-8 of the string that starts here.
  package mutating func appendString(to output: inout [UInt8]) throws(JSONError) {
    try expect(.string)
    let opening = position
    position += 1
    while true {
      let start = position
      while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
      output.append(contentsOf: bytes[start..<position])
      switch current {
      case nil: throw failure("the string is not closed", at: opening)
      case UInt8(ascii: "\""):
        position += 1
        // What escapes stand for is valid, so the text as it is written tells.
        guard (try? UTF8Span(validating: bytes.span.extracting(opening..<position))) != nil else {
          throw failure("the string is not valid UTF-8", at: opening)
        }
        return
      case UInt8(ascii: "\\"): try appendEscape(to: &output)
      default: throw failure("found \(found) in a string, where control characters must be escaped")
      }
    }
  }

  private mutating func appendEscape(to output: inout [UInt8]) throws(JSONError) {
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
      guard let byte = current, byte < 0x80, let value = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw failure("found \(found), expected four hexadecimal digits after \\u")
      }
      code = code << 4 | UInt32(value)
      position += 1
    }
    return code
  }

  package mutating func readString() throws(JSONError) -> String {
    var text: [UInt8] = []
    try appendString(to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  // MARK: Numbers and words

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  private mutating func digits() throws(JSONError) {
    let start = position
    while let byte = current, Self.isDigit(byte) { position += 1 }
    guard position > start else { throw failure("found \(found) in a number, expected a digit") }
  }

  /// A number as a value: an integer keeps every digit.
  private mutating func readNumber() throws(JSONError) -> JSONValue {
    try expect(.number)
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

  /// A number that is written as an integer and fits in 64 bits.
  package mutating func readInteger() throws(JSONError) -> Int {
    try expect(.number)
    let start = position
    guard case .integer(let value) = try readNumber() else {
      throw failure(
        "found \(String(decoding: bytes[start..<position], as: UTF8.self)), expected an integer", at: start)
    }
    return value
  }

  private mutating func read(_ word: String) throws(JSONError) {
    guard bytes[position...].starts(with: word.utf8) else { throw failure("found \(found), expected '\(word)'") }
    position += word.utf8.count
  }

  // MARK: Values

  /// One value of any kind.
  package mutating func readValue() throws(JSONError) -> JSONValue {
    switch try peekKind() {
    case .object:
      var object = JSONObject()
      try beginObject()
      while let key = try nextKey() { object[key] = try readValue() }
      return .object(object)
    case .array:
      var elements: [JSONValue] = []
      try beginArray()
      while try nextElement() { elements.append(try readValue()) }
      return .array(elements)
    case .string: return .string(try readString())
    case .number: return try readNumber()
    case .boolean:
      let isTrue = current == UInt8(ascii: "t")
      try read(isTrue ? "true" : "false")
      return .bool(isTrue)
    case .null:
      try read("null")
      return .null
    }
  }

  /// Passes over one value of any kind.
  package mutating func skipValue() throws(JSONError) {
    var text: [UInt8] = []
    switch try peekKind() {
    case .object:
      try beginObject()
      while try nextMember(&text) { try skipValue() }
    case .array:
      try beginArray()
      while try nextElement() { try skipValue() }
    case .string: try appendString(to: &text)
    case .number, .boolean, .null: _ = try readValue()
    }
  }
}

extension JSONValue {
  /// Parses a JSON text.
  ///
  /// Integers beyond 64 bits keep their digits (`bigInteger`). Of equal keys in one object the last value counts.
  /// - Throws: `JSONError` for malformed text, for arrays and objects nested more than `maximumDepth` deep, for numbers
  ///   beyond a double's range and for escapes of unpaired surrogates.
  package init(parsing text: String, maximumDepth: Int = 128) throws(JSONError) {
    try self.init(parsing: Array(text.utf8), maximumDepth: maximumDepth)
  }

  /// Parses a JSON text given in UTF-8. Invalid UTF-8 is an error.
  package init(parsing utf8: [UInt8], maximumDepth: Int = 128) throws(JSONError) {
    var scanner = JSONScanner(utf8, maximumDepth: maximumDepth)
    self = try scanner.readValue()
    try scanner.expectEnd()
  }
}
