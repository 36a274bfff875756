/// The methods that Python's types have, as far as templates may see them.
enum Methods {
  private static let text: Set<String> = [
    "capitalize", "center", "count", "endswith", "find", "format", "index", "isalnum", "isalpha", "isascii",
    "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "isupper", "join", "ljust", "lower", "lstrip",
    "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit",
    "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title", "upper", "zfill",
  ]
  private static let unsupportedText: Set<String> = [
    "casefold", "encode", "expandtabs", "format_map", "isidentifier", "isprintable", "istitle", "maketrans",
    "translate",
  ]
  private static let mapping: Set<String> = ["copy", "get", "items", "keys", "values"]
  private static let list: Set<String> = ["copy", "count", "index"]
  private static let tuple: Set<String> = ["count", "index"]
  private static let mutatingMapping: Set<String> = ["clear", "pop", "popitem", "setdefault", "update"]
  private static let mutatingList: Set<String> = [
    "append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort",
  ]
  private static let unsupportedNumber: Set<String> = [
    "as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes", "fromhex", "hex", "imag",
    "is_integer", "numerator", "real", "to_bytes",
  ]

  /// Methods of `value` that can be called.
  static func names(of value: Value) -> Set<String> {
    switch value {
    case .string: text
    case .dictionary: mapping
    case .list: list
    case .tuple, .range: tuple
    default: []
    }
  }

  /// Methods that would change `value`; Jinja's sandbox hides them.
  static func mutating(_ value: Value) -> Set<String> {
    switch value {
    case .dictionary: mutatingMapping
    case .list: mutatingList
    default: []
    }
  }

  /// Methods that Python has and this does not.
  static func unsupported(_ value: Value) -> Set<String> {
    switch value {
    case .string: unsupportedText
    case .dictionary: ["fromkeys"]
    case .bool, .integer, .float: unsupportedNumber
    default: []
    }
  }
}

extension TemplateRenderer {
  /// Calls the method `name` of `receiver`.
  func callMethod(_ name: Text, of receiver: Value, _ arguments: Arguments) throws(ChatTemplateError) -> Value {
    let word = name.string
    let callee = "'\(word)'"
    try charge(1)
    switch receiver {
    case .string(let text):
      try charge(text.utf8.count / 8)
      return try callTextMethod(word, text, arguments, callee)
    case .dictionary(let entries): return try callMappingMethod(word, entries, arguments, callee)
    case .loop(let loop): return try callLoopMethod(word, loop, arguments, callee)
    default: break
    }
    if word == "copy" {
      _ = try arguments.positional(upTo: 0, of: callee)
      return receiver
    }
    let bound = try arguments.positional(upTo: word == "index" ? 3 : 1, required: 1, of: callee)
    guard let sought = bound[0] else { return .none }
    let elements = try items(of: receiver, purpose: "search")
    if word == "count" {
      var count = 0
      for element in elements where try areEqual(element, sought) { count += 1 }
      return .integer(count)
    }
    func clamped(_ value: Value?, _ standard: Int) throws(ChatTemplateError) -> Int {
      let index = try integer(value, default: standard, of: callee)
      return min(max(index < 0 ? index + elements.count : index, 0), elements.count)
    }
    let start = try clamped(bound.count > 1 ? bound[1] : nil, 0)
    let end = try clamped(bound.count > 2 ? bound[2] : nil, elements.count)
    for place in start..<max(start, end) where try areEqual(elements[place], sought) { return .integer(place) }
    throw .evaluation("\(try representation(of: sought).string) is not in \(receiver.typeName)")
  }

  private func callMappingMethod(
    _ word: String, _ entries: Entries, _ arguments: Arguments, _ callee: String
  )
    throws(ChatTemplateError) -> Value
  {
    if word == "get" {
      let bound = try arguments.positional(upTo: 2, required: 1, of: callee)
      guard let key = bound[0] else { return .none }
      try checkKey(key)
      return entries.map[key] ?? bound[1] ?? .none
    }
    _ = try arguments.positional(upTo: 0, of: callee)
    try charge(entries.map.count)
    switch word {
    case "items": return .view(DictionaryView(kind: .items, elements: try elements(entries.items)))
    case "keys": return .view(DictionaryView(kind: .keys, elements: try elements(entries.map.keys)))
    case "values": return .view(DictionaryView(kind: .values, elements: try elements(entries.map.values)))
    default: return .dictionary(entries)
    }
  }

  private func callLoopMethod(
    _ word: String, _ loop: LoopState, _ arguments: Arguments, _ callee: String
  )
    throws(ChatTemplateError) -> Value
  {
    guard arguments.keyword.isEmpty else { throw .evaluation("\(callee) takes no keyword arguments") }
    let values = arguments.positional
    if word == "cycle" {
      guard !values.isEmpty else { throw .evaluation("\(callee) needs at least one argument") }
      return values[loop.index % values.count]
    }
    try charge(values.reduce(0) { min($0 + $1.weight, 1 << 40) })
    if let last = loop.lastChanged, last == values { return .bool(false) }
    loop.lastChanged = values
    return .bool(true)
  }
}
