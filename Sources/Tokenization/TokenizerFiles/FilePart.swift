internal import JSON

/// A value in a tokenizer's file, with its place there for messages.
struct FilePart {
  let value: JSONValue
  let file: String
  /// Its path, such as `pre_tokenizer.pretokenizers[0]`.
  let location: String

  /// A member of an object; `nil` where there is none, or `null`.
  subscript(key: String) -> FilePart? {
    guard let member = value[key], member != .null else { return nil }
    return FilePart(value: member, file: file, location: location.isEmpty ? key : "\(location).\(key)")
  }

  func malformed(found: String, expected: String) -> TokenizerError {
    .malformed(file: file, location: location, found: found, expected: expected)
  }

  func unsupported(found: String, supported: String) -> TokenizerError {
    .unsupported(file: file, location: location, found: found, supported: supported)
  }

  private func wrong(_ expected: String) -> TokenizerError {
    malformed(found: value.typeName, expected: expected)
  }

  func string() throws(TokenizerError) -> String {
    guard let text = value.string else { throw wrong("a string") }
    return text
  }

  func boolean() throws(TokenizerError) -> Bool {
    guard case .bool(let value) = value else { throw wrong("true or false") }
    return value
  }

  func number() throws(TokenizerError) -> Double {
    guard let number = value.double else { throw wrong("a number") }
    return number
  }

  /// A number of characters.
  func count() throws(TokenizerError) -> Int {
    guard case .integer(let number) = value, number >= 0 else { throw wrong("a count") }
    return number
  }

  func id() throws(TokenizerError) -> TokenID {
    guard case .integer(let number) = value else { throw wrong("an integer") }
    return try TokenizerFile.id(number, location: location, file: file)
  }

  func elements() throws(TokenizerError) -> [FilePart] {
    guard let elements = value.array else { throw wrong("an array") }
    return elements.enumerated().map { FilePart(value: $1, file: file, location: "\(location)[\($0)]") }
  }

  func members() throws(TokenizerError) -> [(key: String, part: FilePart)] {
    guard case .object(let object) = value else { throw wrong("an object") }
    return object.pairs.map { ($0.key, FilePart(value: $0.value, file: file, location: "\(location).\($0.key)")) }
  }

  /// What a part with a `type` is; empty where it has none.
  func type() throws(TokenizerError) -> String {
    guard case .object = value else { throw wrong("an object") }
    return try self["type"]?.string() ?? ""
  }
}
