internal import JSON

/// A schema's parts by their JSON pointers.
struct SchemaDocument {
  /// A schema within the document.
  struct Part {
    let value: JSONValue
    let pointer: String
  }

  private(set) var parts: [Part]
  private var numbers: [String: Int] = ["": 0]

  /// The document; its root is part 0.
  init(_ root: JSONValue) { parts = [Part(value: root, pointer: "")] }

  /// The number of the schema at `pointer`, which is `value`.
  mutating func number(of value: JSONValue, at pointer: String) -> Int {
    if let known = numbers[pointer] { return known }
    numbers[pointer] = parts.count
    parts.append(Part(value: value, pointer: pointer))
    return parts.count - 1
  }

  /// The number of the part that `reference` (`#`, `#/$defs/node`) names.
  mutating func resolve(_ reference: String, from pointer: String) throws(ConstraintError) -> Int {
    func failure(_ message: String) -> ConstraintError {
      ConstraintError(path: pointer + "/$ref", message: message)
    }
    guard reference.hasPrefix("#") else {
      throw failure("refers to '\(reference)'; only references within the schema ('#/…') are supported")
    }
    let target = String(reference.dropFirst())
    let unescaped = target.removingPercentEncoding
    guard unescaped.isEmpty || unescaped.hasPrefix("/") else {
      throw failure("refers to the anchor '\(reference)'; only JSON pointers ('#/…') are supported")
    }
    if let known = numbers[unescaped] { return known }
    var value = parts[0].value
    for piece in unescaped.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
      let name = String(piece.replacing("~1", with: "/").replacing("~0", with: "~"))
      let next: JSONValue?
      if let elements = value.array {
        next = Int(name).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
      } else {
        next = value[name]
      }
      guard let next else { throw failure("refers to '\(reference)', which is not in the schema") }
      value = next
    }
    return number(of: value, at: unescaped)
  }
}

extension String {
  /// This name as a step of a JSON pointer.
  var pointerStep: String { "/" + replacing("~", with: "~0").replacing("/", with: "~1") }

  /// `%41` read as `A`; a text whose escapes are malformed as it is.
  fileprivate var removingPercentEncoding: String {
    var bytes: [UInt8] = []
    var rest = Array(utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(validating: bytes, as: UTF8.self) ?? self
  }
}
