/// Reads JSON front to back without building a tree, so that a vocabulary of 150,000 strings costs no allocation each.
///
/// Objects and arrays are walked with `beginObject` / `nextMember` and `beginArray` / `nextElement`; whatever a caller has
/// no use for is passed over with `skipValue`. Nesting is bounded, so hostile input cannot exhaust the stack.
struct JSONScanner {
  /// What the next value is, told by its first byte.
  enum Kind: String {
    case object = "an object"
    case array = "an array"
    case string = "a string"
    case number = "a number"
    case boolean = "a boolean"
    case null = "null"
  }

  /// Deeper nesting than this is refused.
  static let maximumDepth = 128

  let file: String
  private let bytes: [UInt8]
  private var position = 0
  /// For each open container, whether it has had an element yet (so that a comma must come first).
  private var hasElements: [Bool] = []

  init(_ bytes: [UInt8], file: String) throws(TokenizerError) {
    self.file = file
    self.bytes = bytes
    do {
      _ = try UTF8Span(validating: bytes.span)
    } catch {
      throw .malformed(file: file, location: "its text", found: "\(error)", expected: "UTF-8")
    }
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  // MARK: Errors

  /// The error for what stands at the current position.
  func malformed(expected: String) -> TokenizerError {
    let found: String
    if position >= bytes.count {
      found = "the end of the file"
    } else {
      let end = min(position + 16, bytes.count)
      found = "'\(String(decoding: bytes[position..<end], as: UTF8.self))'"
    }
    return .malformed(file: file, location: "byte \(position)", found: found, expected: expected)
  }

  // MARK: Structure

  private mutating func skipWhitespace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  private mutating func consume(_ byte: UInt8) -> Bool {
    skipWhitespace()
    guard position < bytes.count, bytes[position] == byte else { return false }
    position += 1
    return true
  }

  mutating func peekKind() throws(TokenizerError) -> Kind {
    skipWhitespace()
    guard position < bytes.count else { throw malformed(expected: "a JSON value") }
    switch bytes[position] {
    case UInt8(ascii: "{"): return .object
    case UInt8(ascii: "["): return .array
    case UInt8(ascii: "\""): return .string
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
    case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
    case UInt8(ascii: "n"): return .null
    default: throw malformed(expected: "a JSON value")
    }
  }

  private mutating func open(_ byte: UInt8, _ what: String) throws(TokenizerError) {
    guard consume(byte) else { throw malformed(expected: what) }
    guard hasElements.count < Self.maximumDepth else {
      throw .malformed(
        file: file, location: "byte \(position)", found: "nested deeper than \(Self.maximumDepth) levels",
        expected: "a flat tokenizer description")
    }
    hasElements.append(false)
  }

  mutating func beginObject() throws(TokenizerError) { try open(UInt8(ascii: "{"), "an object") }
  mutating func beginArray() throws(TokenizerError) { try open(UInt8(ascii: "["), "an array") }

  /// Moves to the next element of the innermost array; `false`, and the array is closed, when there is none.
  mutating func nextElement() throws(TokenizerError) -> Bool {
    try advance(closing: UInt8(ascii: "]"))
  }

  /// Moves to the next member of the innermost object and leaves its key in `key`, as UTF-8, replacing what was there.
  mutating func nextMember(_ key: inout [UInt8]) throws(TokenizerError) -> Bool {
    guard try advance(closing: UInt8(ascii: "}")) else { return false }
    key.removeAll(keepingCapacity: true)
    try appendString(to: &key)
    guard consume(UInt8(ascii: ":")) else { throw malformed(expected: "':' after an object's key") }
    return true
  }

  /// Moves to the next member of the innermost object and gives its key.
  mutating func nextKey() throws(TokenizerError) -> String? {
    var key: [UInt8] = []
    return try nextMember(&key) ? String(decoding: key, as: UTF8.self) : nil
  }

  private mutating func advance(closing: UInt8) throws(TokenizerError) -> Bool {
    guard let hadElements = hasElements.last else { throw malformed(expected: "an open container") }
    if consume(closing) {
      hasElements.removeLast()
      return false
    }
    if hadElements {
      guard consume(UInt8(ascii: ",")) else {
        throw malformed(expected: "',' or '\(Character(Unicode.Scalar(closing)))'")
      }
    }
    hasElements[hasElements.count - 1] = true
    skipWhitespace()
    return true
  }

  /// Requires that nothing but white space is left.
  mutating func expectEnd() throws(TokenizerError) {
    skipWhitespace()
    guard position == bytes.count else { throw malformed(expected: "the end of the file") }
  }

  // MARK: Values

  /// Appends the UTF-8 of the string that starts here.
  mutating func appendString(to output: inout [UInt8]) throws(TokenizerError) {
    guard consume(UInt8(ascii: "\"")) else { throw malformed(expected: "a string") }
    while true {
      let start = position
      while position < bytes.count, bytes[position] != UInt8(ascii: "\""), bytes[position] != UInt8(ascii: "\\"),
        bytes[position] >= 0x20
      {
        position += 1
      }
      output.append(contentsOf: bytes[start..<position])
      guard position < bytes.count, bytes[position] >= 0x20 else {
        throw malformed(expected: "the rest of a string")
      }
      position += 1
      if bytes[position - 1] == UInt8(ascii: "\"") { return }
      try appendEscape(to: &output)
    }
  }

  private mutating func appendEscape(to output: inout [UInt8]) throws(TokenizerError) {
    guard position < bytes.count else { throw malformed(expected: "an escape sequence") }
    position += 1
    switch bytes[position - 1] {
    case UInt8(ascii: "\""): output.append(UInt8(ascii: "\""))
    case UInt8(ascii: "\\"): output.append(UInt8(ascii: "\\"))
    case UInt8(ascii: "/"): output.append(UInt8(ascii: "/"))
    case UInt8(ascii: "b"): output.append(0x08)
    case UInt8(ascii: "f"): output.append(0x0C)
    case UInt8(ascii: "n"): output.append(0x0A)
    case UInt8(ascii: "r"): output.append(0x0D)
    case UInt8(ascii: "t"): output.append(0x09)
    case UInt8(ascii: "u"):
      var value = try readHexQuad()
      if 0xD800..<0xDC00 ~= value, position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
        bytes[position + 1] == UInt8(ascii: "u")
      {
        position += 2
        let low = try readHexQuad()
        guard 0xDC00..<0xE000 ~= low else { throw malformed(expected: "the second half of a surrogate pair before it") }
        value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(value) else { throw malformed(expected: "a whole surrogate pair before it") }
      output.append(contentsOf: String(Character(scalar)).utf8)
    default:
      position -= 1
      throw malformed(expected: "an escape sequence")
    }
  }

  private mutating func readHexQuad() throws(TokenizerError) -> UInt32 {
    guard position + 4 <= bytes.count else { throw malformed(expected: "four hexadecimal digits") }
    var value: UInt32 = 0
    for byte in bytes[position..<position + 4] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
        throw malformed(expected: "four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
    }
    position += 4
    return value
  }

  mutating func readString() throws(TokenizerError) -> String {
    var text: [UInt8] = []
    try appendString(to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// A number that is an integer and fits in 64 bits.
  mutating func readInteger() throws(TokenizerError) -> Int {
    let start = try numberStart()
    let text = numberText()
    guard let value = Int(text) else {
      position = start
      throw malformed(expected: "an integer")
    }
    return value
  }

  mutating func readDouble() throws(TokenizerError) -> Double {
    let start = try numberStart()
    guard let value = Double(numberText()), value.isFinite else {
      position = start
      throw malformed(expected: "a number")
    }
    return value
  }

  private mutating func numberStart() throws(TokenizerError) -> Int {
    guard try peekKind() == .number else { throw malformed(expected: "a number") }
    return position
  }

  private mutating func numberText() -> String {
    let start = position
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
        UInt8(ascii: "e"), UInt8(ascii: "E"):
        position += 1
      default:
        return String(decoding: bytes[start..<position], as: UTF8.self)
      }
    }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  mutating func readBoolean() throws(TokenizerError) -> Bool {
    if consumeWord("true") { return true }
    if consumeWord("false") { return false }
    throw malformed(expected: "true or false")
  }

  /// Passes over `null`, if that is what stands here.
  mutating func consumeNull() -> Bool { consumeWord("null") }

  private mutating func consumeWord(_ word: StaticString) -> Bool {
    skipWhitespace()
    let text = "\(word)".utf8
    guard bytes[position...].starts(with: text) else { return false }
    position += text.count
    return true
  }

  /// Passes over one value of any kind.
  mutating func skipValue() throws(TokenizerError) {
    switch try peekKind() {
    case .object:
      try beginObject()
      var key: [UInt8] = []
      while try nextMember(&key) { try skipValue() }
    case .array:
      try beginArray()
      while try nextElement() { try skipValue() }
    case .string:
      var text: [UInt8] = []
      try appendString(to: &text)
    case .number: _ = try readDouble()
    case .boolean: _ = try readBoolean()
    case .null:
      guard consumeNull() else { throw malformed(expected: "null") }
    }
  }
}
