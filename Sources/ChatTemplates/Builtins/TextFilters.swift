internal import JSON

/// Filters on strings.
extension TemplateRenderer {
  func textFilter(
    _ filter: Filters.Name, _ value: Value, _ arguments: Arguments, _ callee: String
  )
    throws(ChatTemplateError) -> Value
  {
    if filter == .tojson { return try toJSON(value, arguments, callee) }
    if filter == .indent { return try indented(value, arguments, callee) }
    let text = try text(of: value)
    try charge(text.utf8.count / 8)
    switch filter {
    case .format:
      guard arguments.keyword.isEmpty || arguments.positional.isEmpty else {
        throw .evaluation("\(callee) takes positional or keyword arguments, not both")
      }
      guard !arguments.keyword.isEmpty else { return try formatted(text, arguments.positional, keyed: nil) }
      var map = OrderedMap<Value, Value>()
      for (name, value) in arguments.keyword { map.set(value, for: .string(name)) }
      let keyed = try dictionary(map)
      return try formatted(text, [keyed], keyed: keyed)
    case .replace:
      let bound = try arguments.bound(to: ["old", "new", "count"], required: 2, of: callee)
      guard let old = bound[0], let new = bound[1] else { return value }
      var limit: Int?
      if let count = bound[2], !Self.isNone(count) { limit = try integer(count, default: -1, of: callee) }
      return try replaced(text, try self.text(of: old), try self.text(of: new), limit: limit)
    case .trim:
      let bound = try arguments.bound(to: ["chars"], of: callee)
      return .string(text.stripped(try characters(bound[0], of: callee)))
    case .center:
      let width = try integer(try arguments.bound(to: ["width"], of: callee)[0], default: 80, of: callee)
      return try string(try aligned(text, width: width, fill: " ", .center))
    case .truncate: return try truncated(text, arguments, callee)
    default: break
    }
    _ = try arguments.positional(upTo: 0, of: callee)
    switch filter {
    case .capitalize: return .string(text.capitalized)
    case .lower: return try string(text.lowercased)
    case .upper: return try string(text.uppercased)
    case .title: return try string(Self.titled(text))
    case .e, .escape:
      try checkLength(text.utf8.count * 5)
      if case .string(let original) = value, original.isMarkup { return value }
      return try string(text.escaped)
    case .safe: return .string(Text(utf8: text.utf8, isMarkup: true))
    case .wordcount:
      var count = 0
      var isInside = false
      for scalar in text.scalars {
        let isWord = scalar == "_" || scalar.properties.isAlphabetic || scalar.properties.numericType != nil
        if isWord, !isInside { count += 1 }
        isInside = isWord
      }
      return .integer(count)
    default:
      if case .string = value { return value }
      return .string(text)
    }
  }

  static func isNone(_ value: Value) -> Bool {
    if case .none = value { true } else { false }
  }

  /// A set of code points given as a string; `nil` for `None` and for nothing.
  func characters(_ value: Value?, of callee: String) throws(ChatTemplateError) -> Text? {
    switch value {
    case nil, .some(.none): return nil
    case .string(let text)?: return text
    case .some(let value): throw refusal(callee, value)
    }
  }

  func replaced(_ text: Text, _ old: Text, _ new: Text, limit: Int?) throws(ChatTemplateError) -> Value {
    try charge(text.utf8.count / 8)
    let limit = limit.flatMap { $0 < 0 ? nil : $0 }
    if new.utf8.count > old.utf8.count {
      let matches = old.isEmpty ? text.count + 1 : text.split(by: old, limit: Int.max).count - 1
      let growth = (new.utf8.count - old.utf8.count).multipliedReportingOverflow(by: min(matches, limit ?? Int.max))
      try checkLength(growth.overflow ? Int.max : text.utf8.count + growth.partialValue)
    }
    return try string(text.replacing(old, with: new, limit: limit))
  }

  /// Jinja's `title`: words begin after white space, hyphens and opening brackets.
  private static func titled(_ text: Text) -> Text {
    var output = ""
    var startsWord = true
    for scalar in text.scalars {
      switch scalar {
      case "-", "(", "{", "[", "<":
        output.unicodeScalars.append(scalar)
        startsWord = true
      case _ where scalar.isPythonWhitespace:
        output.unicodeScalars.append(scalar)
        startsWord = true
      default:
        output += startsWord ? scalar.properties.uppercaseMapping : scalar.properties.lowercaseMapping
        startsWord = false
      }
    }
    return Text(output)
  }

  private func truncated(_ text: Text, _ arguments: Arguments, _ callee: String) throws(ChatTemplateError) -> Value {
    let bound = try arguments.bound(to: ["length", "killwords", "end", "leeway"], of: callee)
    let length = try integer(bound[0], default: 255, of: callee)
    var end: Text = "..."
    if let given = bound[2] { end = try self.text(of: given) }
    var leeway = 5
    if let given = bound[3], !Self.isNone(given) { leeway = try integer(given, default: 5, of: callee) }
    guard length >= end.count, leeway >= 0 else {
      throw .evaluation("\(callee) needs a length of at least \(end.count) and a leeway of at least 0")
    }
    let scalars = text.scalars
    let (reach, overflow) = length.addingReportingOverflow(leeway)
    if overflow || scalars.count <= reach { return .string(text) }
    let head = Text(scalars: scalars[..<(length - end.count)])
    if bound[1]?.isTrue ?? false { return .string(head + end) }
    return .string((head.splitFromRight(by: " ", limit: 1).first ?? head) + end)
  }

  private func indented(_ value: Value, _ arguments: Arguments, _ callee: String) throws(ChatTemplateError) -> Value {
    let bound = try arguments.bound(to: ["width", "first", "blank"], of: callee)
    guard case .string(let text) = value else { throw refusal(callee, value) }
    var indentation: Text = "    "
    if case .string(let given)? = bound[0] {
      indentation = given
    } else {
      let width = max(try integer(bound[0], default: 4, of: callee), 0)
      try checkLength(width)
      indentation = Text(utf8: [UInt8](repeating: 0x20, count: width))
    }
    try charge(text.utf8.count / 8)
    let lines = (text + "\n").lines()
    let (growth, overflow) = lines.count.multipliedReportingOverflow(by: indentation.utf8.count)
    try checkLength(overflow ? Int.max : growth + text.utf8.count)
    let indentsBlank = bound[2]?.isTrue ?? false
    var output: [UInt8] = []
    for (offset, line) in lines.enumerated() {
      if offset > 0 { output.append(0x0A) }
      let isIndented = offset == 0 ? bound[1]?.isTrue ?? false : indentsBlank || !line.isEmpty
      if isIndented { output.append(contentsOf: indentation.utf8) }
      output.append(contentsOf: line.utf8)
    }
    return try string(Text(utf8: output))
  }

  private func toJSON(_ value: Value, _ arguments: Arguments, _ callee: String) throws(ChatTemplateError) -> Value {
    let bound = try arguments.bound(to: ["ensure_ascii", "indent", "separators", "sort_keys"], of: callee)
    var style = JSONStyle.python
    style.escapesNonASCII = bound[0]?.isTrue ?? false
    style.sortsKeys = bound[3]?.isTrue ?? false
    if let indentation = bound[1], !Self.isNone(indentation) {
      style.itemSeparator = ","
      if case .string(let text) = indentation {
        style.indentation = text.string
      } else {
        let width = max(try integer(indentation, default: 0, of: callee), 0)
        guard width <= 1024 else { throw .limit("\(callee) indents by more than 1024") }
        style.indentation = String(repeating: " ", count: width)
      }
    }
    if let separators = bound[2], !Self.isNone(separators) {
      let parts = try items(of: separators, purpose: "take separators from")
      guard parts.count == 2, case .string(let item) = parts[0], case .string(let key) = parts[1] else {
        throw .evaluation("\(callee) needs two strings as separators")
      }
      style.itemSeparator = item.string
      style.keySeparator = key.string
    }
    // Every element may cost an indentation and the separators, so their length counts before anything is written.
    let parts =
      (style.indentation?.utf8.count ?? 0) * value.depth + style.itemSeparator.utf8.count
      + style.keySeparator.utf8.count
    let (length, overflow) = value.weight.multipliedReportingOverflow(by: parts + 8)
    try checkLength(overflow ? Int.max : length / 8)
    return try string(Text(try json(value).serialized(style)))
  }

  enum Alignment {
    case left, right, center
  }

  /// `text` filled up to `width` code points.
  func aligned(_ text: Text, width: Int, fill: Text, _ alignment: Alignment) throws(ChatTemplateError) -> Text {
    guard width > text.count else { return text }
    let missing = width - text.count
    try checkLength(missing)
    try charge(missing / 16)
    func padding(_ count: Int) -> [UInt8] { (0..<count).flatMap { _ in fill.utf8 } }
    let left =
      switch alignment {
      case .left: 0
      case .right: missing
      // Python puts the odd one to the left when the width is odd.
      case .center: missing / 2 + (missing & width & 1)
      }
    return Text(utf8: padding(left) + text.utf8 + padding(missing - left))
  }
}
