/// The methods of Python's `str`.
extension TemplateRenderer {
  func callTextMethod(
    _ word: String, _ text: Text, _ arguments: Arguments, _ callee: String
  )
    throws(ChatTemplateError) -> Value
  {
    switch word {
    case "split", "rsplit": return try split(text, arguments, callee, fromRight: word == "rsplit")
    case "splitlines":
      let keeps = try arguments.bound(to: ["keepends"], of: callee)[0]?.isTrue ?? false
      return try list(text.lines(keepingEnds: keeps).map { .string($0) })
    case "format": return try braceFormatted(text, arguments)
    case "strip", "lstrip", "rstrip":
      let set = try characters(try arguments.positional(upTo: 1, of: callee)[0], of: callee)
      return .string(text.stripped(set, left: word != "rstrip", right: word != "lstrip"))
    case "startswith", "endswith": return try hasAffix(text, arguments, callee, isPrefix: word == "startswith")
    case "find", "index", "rfind", "rindex": return try found(word, text, arguments, callee)
    case "count":
      let (window, _, needle) = try searchWindow(text, arguments, callee)
      guard let window else { return .integer(0) }
      return .integer(needle.isEmpty ? window.count + 1 : window.split(by: needle, limit: Int.max).count - 1)
    case "replace":
      let bound = try arguments.positional(upTo: 3, required: 2, of: callee)
      guard case .string(let old)? = bound[0], case .string(let new)? = bound[1] else {
        throw .evaluation("\(callee) needs strings")
      }
      return try replaced(text, old, new, limit: try integer(bound[2], default: -1, of: callee))
    case "join":
      guard let elements = try arguments.positional(upTo: 1, required: 1, of: callee)[0] else { return .none }
      var bytes: [UInt8] = []
      for (offset, element) in try items(of: elements, purpose: "join").enumerated() {
        guard case .string(let part) = element else { throw refusal(callee, element) }
        if offset > 0 { bytes.append(contentsOf: text.utf8) }
        bytes.append(contentsOf: part.utf8)
        try charge(1)
        try checkLength(bytes.count)
      }
      return try string(Text(utf8: bytes))
    case "removeprefix", "removesuffix":
      let bound = try arguments.positional(upTo: 1, required: 1, of: callee)
      guard case .string(let affix)? = bound[0] else { throw .evaluation("\(callee) needs a string") }
      if word == "removeprefix" {
        return .string(text.hasPrefix(affix) ? Text(text.utf8.dropFirst(affix.utf8.count)) : text)
      }
      return .string(text.hasSuffix(affix) ? Text(text.utf8.dropLast(affix.utf8.count)) : text)
    case "partition", "rpartition": return try partitioned(text, arguments, callee, fromRight: word == "rpartition")
    case "center", "ljust", "rjust", "zfill": return try padded(word, text, arguments, callee)
    default: return try plainMethod(word, text, arguments, callee)
    }
  }

  /// Methods without arguments.
  private func plainMethod(
    _ word: String, _ text: Text, _ arguments: Arguments, _ callee: String
  )
    throws(ChatTemplateError) -> Value
  {
    _ = try arguments.positional(upTo: 0, of: callee)
    func all(_ condition: (Unicode.Scalar.Properties) -> Bool) -> Value {
      .bool(!text.isEmpty && text.scalars.allSatisfy { condition($0.properties) })
    }
    switch word {
    case "lower": return try string(text.lowercased)
    case "upper": return try string(text.uppercased)
    case "title": return try string(text.titlecased)
    case "capitalize": return try string(text.capitalized)
    case "swapcase":
      var output = ""
      for scalar in text.scalars {
        let properties = scalar.properties
        output += properties.isUppercase ? properties.lowercaseMapping : properties.uppercaseMapping
      }
      return try string(Text(output))
    case "islower": return .bool(text.isCased(upper: false))
    case "isupper": return .bool(text.isCased(upper: true))
    case "isspace": return .bool(!text.isEmpty && text.scalars.allSatisfy(\.isPythonWhitespace))
    case "isascii": return .bool(text.isASCII)
    case "isalpha": return all(Self.isLetter)
    case "isdecimal": return all { $0.numericType == .decimal }
    case "isdigit": return all { $0.numericType == .decimal || $0.numericType == .digit }
    case "isnumeric": return all { $0.numericType != nil }
    default: return all { Self.isLetter($0) || $0.numericType != nil }
    }
  }

  private static func isLetter(_ properties: Unicode.Scalar.Properties) -> Bool {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }

  private func split(
    _ text: Text, _ arguments: Arguments, _ callee: String, fromRight: Bool
  )
    throws(ChatTemplateError) -> Value
  {
    let bound = try arguments.bound(to: ["sep", "maxsplit"], of: callee)
    var limit = try integer(bound[1], default: -1, of: callee)
    if limit < 0 { limit = Int.max }
    guard let separator = try characters(bound[0], of: callee) else {
      return try list(text.splitByWhitespace(limit: limit, fromRight: fromRight).map { .string($0) })
    }
    guard !separator.isEmpty else { throw .evaluation("the separator of \(callee) is empty") }
    let parts = fromRight ? text.splitFromRight(by: separator, limit: limit) : text.split(by: separator, limit: limit)
    return try list(parts.map { .string($0) })
  }

  private func partitioned(
    _ text: Text, _ arguments: Arguments, _ callee: String, fromRight: Bool
  )
    throws(ChatTemplateError) -> Value
  {
    let bound = try arguments.positional(upTo: 1, required: 1, of: callee)
    guard case .string(let separator)? = bound[0], !separator.isEmpty else {
      throw .evaluation("\(callee) needs a separator that is not empty")
    }
    let parts = fromRight ? text.splitFromRight(by: separator, limit: 1) : text.split(by: separator, limit: 1)
    guard parts.count == 2 else {
      return try tuple(
        fromRight ? [.string(""), .string(""), .string(text)] : [.string(text), .string(""), .string("")])
    }
    return try tuple([.string(parts[0]), .string(separator), .string(parts[1])])
  }

  /// The part of `text` that a search's second and third argument leave, the code points before it, and the needle.
  /// The part is `nil` when the bounds leave nothing, not even the empty string.
  private func searchWindow(
    _ text: Text, _ arguments: Arguments, _ callee: String
  )
    throws(ChatTemplateError) -> (window: Text?, start: Int, needle: Text)
  {
    let bound = try arguments.positional(upTo: 3, required: 1, of: callee)
    guard case .string(let needle)? = bound[0] else { throw .evaluation("\(callee) needs a string") }
    let (window, start) = try window(of: text, from: bound[1], to: bound[2], callee)
    return (window, start, needle)
  }

  private func window(
    of text: Text, from start: Value?, to end: Value?, _ callee: String
  )
    throws(ChatTemplateError) -> (Text?, Int)
  {
    if start == nil, end == nil { return (text, 0) }
    let scalars = text.scalars
    func place(_ value: Value?, _ standard: Int) throws(ChatTemplateError) -> Int {
      guard let value, !Self.isNone(value) else { return standard }
      let index = try integer(value, default: standard, of: callee)
      return max(index < 0 ? index + scalars.count : index, 0)
    }
    let first = try place(start, 0)
    let last = min(try place(end, scalars.count), scalars.count)
    return (first <= last ? Text(scalars: scalars[first..<last]) : nil, first)
  }

  private func found(
    _ word: String, _ text: Text, _ arguments: Arguments, _ callee: String
  )
    throws(ChatTemplateError) -> Value
  {
    let (window, start, needle) = try searchWindow(text, arguments, callee)
    if let window {
      let offset =
        word.hasPrefix("r")
        ? window.lastOffset(of: needle) : window.firstOffset(of: needle)
      if let offset { return .integer(start + window.codePoints(before: offset)) }
    }
    if word.hasSuffix("index") { throw .evaluation("\(callee) did not find the string") }
    return .integer(-1)
  }

  private func hasAffix(
    _ text: Text, _ arguments: Arguments, _ callee: String, isPrefix: Bool
  )
    throws(ChatTemplateError) -> Value
  {
    let bound = try arguments.positional(upTo: 3, required: 1, of: callee)
    let window = try window(of: text, from: bound[1], to: bound[2], callee).0
    var affixes: [Value] = bound[0].map { [$0] } ?? []
    if case .tuple(let elements)? = bound[0] { affixes = elements.items }
    for affix in affixes {
      guard case .string(let affix) = affix else { throw refusal(callee, affix) }
      if let window, isPrefix ? window.hasPrefix(affix) : window.hasSuffix(affix) { return .bool(true) }
    }
    return .bool(false)
  }

  private func padded(
    _ word: String, _ text: Text, _ arguments: Arguments, _ callee: String
  )
    throws(ChatTemplateError) -> Value
  {
    let bound = try arguments.positional(upTo: word == "zfill" ? 1 : 2, required: 1, of: callee)
    let width = max(try integer(bound[0], default: 0, of: callee), 0)
    if word == "zfill" {
      let isSigned = text.hasPrefix("-") || text.hasPrefix("+")
      let sign = isSigned ? Text(text.utf8.prefix(1)) : ""
      let digits = isSigned ? Text(text.utf8.dropFirst()) : text
      return try string(sign + (try aligned(digits, width: width - sign.utf8.count, fill: "0", .right)))
    }
    var fill: Text = " "
    if bound.count > 1, let given = bound[1] {
      guard case .string(let character) = given, character.count == 1 else {
        throw .evaluation("\(callee) needs one character to fill with")
      }
      fill = character
    }
    return try string(
      try aligned(text, width: width, fill: fill, word == "ljust" ? .left : word == "rjust" ? .right : .center))
  }
}
