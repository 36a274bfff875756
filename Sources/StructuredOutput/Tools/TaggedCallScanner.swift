internal import JSON

/// Reads one call as it comes, however it is written.
protocol CallScanner: Sendable {
  var status: ToolCallScanner.Status { get }
  /// Whether the name has been given out.
  var hasNamed: Bool { get }
  /// Whether the arguments have been read to their end, and nothing after them.
  var hasEndedArguments: Bool { get }

  mutating func append(_ byte: UInt8) -> [ToolCallScanner.Output]
  /// Declares that this is no call, whatever follows.
  mutating func reject()
}

extension ToolCallScanner: CallScanner {}

/// Reads one call of Qwen3-Coder's format byte by byte: `<function=NAME>`, for each argument `<parameter=KEY>`, a line
/// break, its text, a line break and `</parameter>`, and `</function>`.
///
/// Texts are strings where the tool's schema says so, and JSON otherwise, if they are any.
struct TaggedCallScanner: CallScanner {
  private enum Place {
    case beforeFunction, name, beforeParameter, key, value
  }

  private(set) var status = ToolCallScanner.Status.reading
  private(set) var hasNamed = false
  let hasEndedArguments = false
  private var place = Place.beforeFunction
  /// What has come of the tag, the name, the key or the value.
  private var text: [UInt8] = []
  private var key = ""
  private var name = ""
  private var count = 0
  private let schemas: [String: JSONValue]

  private static let function = Array("<function=".utf8)
  private static let endOfFunction = Array("</function>".utf8)
  private static let parameter = Array("<parameter=".utf8)
  private static let endOfParameter = Array("</parameter>".utf8)
  /// What also ends a value, where the model forgets to.
  private static let endings = [
    endOfParameter, [UInt8(ascii: "\n")] + parameter, [UInt8(ascii: "\n")] + endOfFunction,
  ]
  /// Longer names and keys are none.
  private static let longestName = 512

  /// - Parameter schemas: of the arguments of each tool.
  init(schemas: [String: JSONValue]) { self.schemas = schemas }

  mutating func reject() { (status, hasNamed) = (.broken, false) }

  mutating func append(_ byte: UInt8) -> [ToolCallScanner.Output] {
    guard status == .reading else { return [] }
    switch place {
    case .beforeFunction: return appendTag(byte, [(Self.function, .name)])
    case .beforeParameter:
      return appendTag(byte, [(Self.parameter, .key), (Self.endOfFunction, nil)])
    case .name, .key:
      guard byte == UInt8(ascii: ">") else {
        text.append(byte)
        if byte == UInt8(ascii: "\n") || text.count > Self.longestName { status = .broken }
        return []
      }
      let word = String(decoding: text, as: UTF8.self)
      text = []
      if place == .key {
        (key, place) = (word, .value)
        return []
      }
      (name, place, hasNamed) = (word, .beforeParameter, !word.isEmpty)
      if word.isEmpty { status = .broken }
      return word.isEmpty ? [] : [.name(word)]
    case .value:
      text.append(byte)
      guard let ending = Self.endings.first(where: { text.suffix($0.count).elementsEqual($0) }) else { return [] }
      let value = Array(text.dropLast(ending.count))
      // The tag that ended it begins what follows.
      text = ending == Self.endOfParameter ? [] : Array(ending.dropFirst())
      place = .beforeParameter
      return [.arguments(argument(value))] + appendTagged()
    }
  }

  /// Skips white space up to one of some tags.
  private mutating func appendTag(_ byte: UInt8, _ tags: [(tag: [UInt8], place: Place?)]) -> [ToolCallScanner.Output] {
    if text.isEmpty, byte == 0x20 || (0x09...0x0D).contains(byte) { return [] }
    text.append(byte)
    guard tags.contains(where: { $0.tag.starts(with: text) }) else {
      status = .broken
      return []
    }
    return appendTagged()
  }

  /// Goes on where a tag is whole.
  private mutating func appendTagged() -> [ToolCallScanner.Output] {
    switch text {
    case Self.function: (place, text) = (.name, [])
    case Self.parameter: (place, text) = (.key, [])
    case Self.endOfFunction:
      status = .complete
      return [.arguments(Array((count == 0 ? "{}" : "}").utf8))]
    default: break
    }
    return []
  }

  /// An argument as a member of a JSON object.
  private mutating func argument(_ bytes: [UInt8]) -> [UInt8] {
    var value = bytes[...]
    if value.first == UInt8(ascii: "\n") { value.removeFirst() }
    if value.last == UInt8(ascii: "\n") { value.removeLast() }
    defer { count += 1 }
    let text = String(decoding: value, as: UTF8.self)
    return Array(((count == 0 ? "{" : ", ") + key.quotedAsJSON + ": " + json(of: text)).utf8)
  }

  private func json(of text: String) -> String {
    let types = Self.types(of: schemas[name]?["properties"]?[key])
    if types == ["string"] { return text.quotedAsJSON }
    // Models write Python's words too.
    let words = ["True": "true", "False": "false", "None": "null"]
    let source = types.isEmpty ? text : words[text] ?? text
    guard let value = try? JSONValue(parsing: source) else { return text.quotedAsJSON }
    // Quotes of a text that may be one are its own.
    if case .string = value { return text.quotedAsJSON }
    return source
  }

  /// The types that a schema names.
  private static func types(of schema: JSONValue?) -> Set<String> {
    guard let schema else { return [] }
    var types = Set(schema["type"]?.array?.compactMap(\.string) ?? [schema["type"]?.string].compactMap { $0 })
    for alternative in (schema["anyOf"] ?? schema["oneOf"])?.array ?? [] {
      types.formUnion(Self.types(of: alternative))
    }
    if types.isEmpty, let values = schema["enum"]?.array, values.allSatisfy({ $0.string != nil }) { return ["string"] }
    return types
  }
}
