internal import JSON

/// Values as text: Python's `str` and `repr`, and JSON.
extension TemplateRenderer {
  /// Python's `str(value)`, which is what printing shows.
  func text(of value: Value) throws(ChatTemplateError) -> Text {
    switch value {
    case .undefined: return ""
    case .string(let text): return text.isMarkup ? Text(utf8: text.utf8) : text
    default: return try representation(of: value)
    }
  }

  /// Python's `repr(value)`.
  func representation(of value: Value) throws(ChatTemplateError) -> Text {
    var output: [UInt8] = []
    try writeRepresentation(of: value, into: &output, depth: 0)
    return Text(utf8: output)
  }

  private func writeRepresentation(of value: Value, into output: inout [UInt8], depth: Int) throws(ChatTemplateError) {
    try charge(1)
    try checkLength(output.count)
    guard depth <= limits.valueDepth else { throw .limit("values nest more than \(limits.valueDepth) deep") }
    func write(_ text: String) { output.append(contentsOf: text.utf8) }
    switch value {
    case .undefined: write("Undefined")
    case .none: write("None")
    case .bool(let value): write(value ? "True" : "False")
    case .integer(let value): write(String(value))
    case .bigInteger(let digits): output.append(contentsOf: digits.utf8)
    case .float(let value): write(FloatText.representation(value))
    case .string(let text):
      try charge(text.utf8.count / 16)
      Self.writeQuoted(text, into: &output)
    case .list(let elements): try writeElements(elements.items, "[", "]", into: &output, depth: depth)
    case .tuple(let elements):
      try writeElements(elements.items, "(", elements.items.count == 1 ? ",)" : ")", into: &output, depth: depth)
    case .dictionary(let entries):
      try writeEntries(entries.map.keys, entries.map.values, into: &output, depth: depth)
    case .view(let view):
      write(view.kind.rawValue)
      try writeElements(view.elements.items, "([", "])", into: &output, depth: depth)
    case .range(let range):
      write(
        range.step == 1 ? "range(\(range.start), \(range.stop))" : "range(\(range.start), \(range.stop), \(range.step))"
      )
    case .namespace(let namespace):
      write("<Namespace ")
      try writeEntries(
        namespace.attributes.keys.map { .string($0) }, namespace.attributes.values, into: &output, depth: depth)
      write(">")
    case .macro(let macro): write("<Macro '\(macro.definition.name.string)'>")
    case .loop(let loop): write("<LoopContext \(loop.index + 1)/\(try loop.length())>")
    case .iterator, .function, .method:
      throw .unsupported("printing \(value.typeName) is not supported; turn it into a list or call it")
    }
  }

  private func writeElements(
    _ items: [Value], _ open: String, _ close: String, into output: inout [UInt8], depth: Int
  ) throws(ChatTemplateError) {
    output.append(contentsOf: open.utf8)
    for (offset, item) in items.enumerated() {
      if offset > 0 { output.append(contentsOf: ", ".utf8) }
      try writeRepresentation(of: item, into: &output, depth: depth + 1)
    }
    output.append(contentsOf: close.utf8)
  }

  private func writeEntries(
    _ keys: [Value], _ values: [Value], into output: inout [UInt8], depth: Int
  )
    throws(ChatTemplateError)
  {
    output.append(UInt8(ascii: "{"))
    for (offset, (key, value)) in zip(keys, values).enumerated() {
      if offset > 0 { output.append(contentsOf: ", ".utf8) }
      try writeRepresentation(of: key, into: &output, depth: depth + 1)
      output.append(contentsOf: ": ".utf8)
      try writeRepresentation(of: value, into: &output, depth: depth + 1)
    }
    output.append(UInt8(ascii: "}"))
  }

  /// A string as Python quotes it: in single quotes unless it holds those and no double ones.
  private static func writeQuoted(_ text: Text, into output: inout [UInt8]) {
    if text.isMarkup { output.append(contentsOf: "Markup(".utf8) }
    let single = UInt8(ascii: "'")
    let quote = text.utf8.contains(single) && !text.utf8.contains(UInt8(ascii: "\"")) ? UInt8(ascii: "\"") : single
    output.append(quote)
    for scalar in text.scalars {
      switch scalar {
      case "\\": output.append(contentsOf: "\\\\".utf8)
      case "\n": output.append(contentsOf: "\\n".utf8)
      case "\r": output.append(contentsOf: "\\r".utf8)
      case "\t": output.append(contentsOf: "\\t".utf8)
      case _ where scalar.value == UInt32(quote): output.append(contentsOf: [UInt8(ascii: "\\"), quote])
      case _ where scalar.isPythonPrintable: output.append(contentsOf: UTF8.encode(scalar) ?? .init())
      default:
        let (mark, length) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
        let digits = String(scalar.value, radix: 16)
        output.append(contentsOf: "\\\(mark)\(String(repeating: "0", count: length - digits.count))\(digits)".utf8)
      }
    }
    output.append(quote)
    if text.isMarkup { output.append(UInt8(ascii: ")")) }
  }

  /// The value as a JSON document, as `json.dumps` takes it.
  func json(_ value: Value) throws(ChatTemplateError) -> JSONValue {
    try charge(1)
    switch value {
    case .none: return .null
    case .bool(let value): return .bool(value)
    case .integer(let value): return .integer(value)
    case .bigInteger(let digits): return .bigInteger(digits.string)
    case .float(let value): return .number(value)
    case .string(let text): return .string(text.string)
    case .list(let elements), .tuple(let elements):
      var array: [JSONValue] = []
      for item in elements.items { array.append(try json(item)) }
      return .array(array)
    case .dictionary(let entries):
      var object = JSONObject()
      for (key, value) in zip(entries.map.keys, entries.map.values) {
        let name: String
        switch key {
        case .string(let text): name = text.string
        case .bool(let value): name = value ? "true" : "false"
        case .none: name = "null"
        case .integer(let value): name = String(value)
        case .bigInteger(let digits): name = digits.string
        case .float(let value): name = FloatText.json(value)
        default: throw .evaluation("\(key.typeName) cannot be a key of a JSON object")
        }
        object[name] = try json(value)
      }
      return .object(object)
    default: throw refusal("the conversion to JSON", value)
    }
  }
}
