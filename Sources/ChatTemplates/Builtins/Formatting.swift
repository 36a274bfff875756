import Foundation
internal import JSON

/// Python's `%` formatting and `str.format`.
extension TemplateRenderer {
  /// How one value is laid out.
  struct FormatSpecification {
    var fill: Text = " "
    var alignment: Unicode.Scalar?
    var sign: Unicode.Scalar?
    var isAlternate = false
    var groupsWith: Unicode.Scalar?
    var width = 0
    var precision: Int?
    var type: Unicode.Scalar?
  }

  /// Python's `format % values`. `keyed` is the dictionary that `%(name)s` reads from, when the right side is one value.
  func formatted(_ format: Text, _ values: [Value], keyed: Value?) throws(ChatTemplateError) -> Value {
    var output: [UInt8] = []
    var next = 0
    var usesKeys = false
    var scalars = format.scalars[...]
    func take() throws(ChatTemplateError) -> Value {
      guard next < values.count else { throw .evaluation("there are fewer values than '%' fields") }
      next += 1
      return values[next - 1]
    }
    while let scalar = scalars.popFirst() {
      guard scalar == "%" else {
        output.append(contentsOf: UTF8.encode(scalar) ?? .init())
        continue
      }
      if scalars.first == "%" {
        scalars.removeFirst()
        output.append(UInt8(ascii: "%"))
        continue
      }
      var value: Value?
      if scalars.first == "(" {
        guard let close = scalars.firstIndex(of: ")") else { throw .evaluation("a '%(' field is not closed") }
        let name = Text(scalars: scalars[(scalars.startIndex + 1)..<close])
        scalars = scalars[(close + 1)...]
        guard case .dictionary(let entries)? = keyed else { throw .evaluation("'%(…)' fields need a dictionary") }
        guard let entry = entries.map[.string(name)] else { throw .evaluation("there is no value '\(name.string)'") }
        value = entry
        usesKeys = true
      }
      var specification = FormatSpecification()
      var isLeft = false
      var isZero = false
      flags: while let flag = scalars.first {
        switch flag {
        case "-": isLeft = true
        case "0": isZero = true
        case "+", " ": if specification.sign != "+" { specification.sign = flag }
        case "#": specification.isAlternate = true
        default: break flags
        }
        scalars.removeFirst()
      }
      specification.width = try number(from: &scalars, take) ?? 0
      if specification.width < 0 {
        isLeft = true
        specification.width = -specification.width
      }
      if scalars.first == "." {
        scalars.removeFirst()
        specification.precision = max(try number(from: &scalars, take) ?? 0, 0)
      }
      while let modifier = scalars.first, modifier == "l" || modifier == "h" || modifier == "L" {
        scalars.removeFirst()
      }
      guard let type = scalars.popFirst() else { throw .evaluation("a '%' field has no type") }
      specification.type = type
      specification.alignment = isLeft ? "<" : isZero && !"srac".unicodeScalars.contains(type) ? "=" : ">"
      if specification.alignment == "=" { specification.fill = "0" }
      let argument: Value
      if let value { argument = value } else { argument = try take() }
      output.append(contentsOf: try percentField(argument, specification).utf8)
      try checkLength(output.count)
    }
    let isMapping = if case .dictionary? = keyed { true } else { false }
    guard next == values.count || usesKeys || (next == 0 && isMapping) else {
      throw .evaluation("there are more values than '%' fields")
    }
    return try string(Text(utf8: output))
  }

  /// Digits, or `*`, which takes the number from the values.
  private func number(
    from scalars: inout ArraySlice<Unicode.Scalar>, _ take: () throws(ChatTemplateError) -> Value
  ) throws(ChatTemplateError) -> Int? {
    if scalars.first == "*" {
      scalars.removeFirst()
      let value = try integer(try take(), default: 0, of: "'*' in a format")
      guard value.magnitude <= limits.outputBytes else {
        throw .limit("a format has more than \(limits.outputBytes) characters")
      }
      return value
    }
    var digits = ""
    while let digit = scalars.first, ("0"..."9").contains(digit) {
      digits.unicodeScalars.append(digit)
      scalars.removeFirst()
    }
    if digits.isEmpty { return nil }
    guard let value = Int(digits), value <= limits.outputBytes else {
      throw .limit("a format has more than \(limits.outputBytes) characters")
    }
    return value
  }

  private func percentField(_ value: Value, _ specification: FormatSpecification) throws(ChatTemplateError) -> Text {
    var specification = specification
    switch specification.type {
    case "s", "r", "a":
      let text = specification.type == "s" ? try text(of: value) : try representation(of: value)
      if specification.type == "a", !text.isASCII { throw .unsupported("'%a' of text beyond ASCII is not supported") }
      return try laidOut(sign: "", clipped(text, specification.precision), specification)
    case "c":
      if case .string(let text) = value, text.count == 1 { return try laidOut(sign: "", text, specification) }
      guard let scalar = value.index.flatMap({ UInt32(exactly: $0) }).flatMap(Unicode.Scalar.init) else {
        throw refusal("'%c'", value)
      }
      return try laidOut(sign: "", Text(scalars: [scalar]), specification)
    case "d", "i", "u":
      if case .bigInteger(let digits) = value { return try laidOut(sign: "", digits, specification) }
      guard let number = value.number else { throw refusal("'%d'", value) }
      guard let integer = Int(exactly: number.double.rounded(.towardZero)) ?? value.index else {
        throw .evaluation("'%d' cannot write \(number.double)")
      }
      specification.type = "d"
      return try numberField(value.index.map { .integer($0) } ?? .integer(integer), specification)
    case "x", "X", "o":
      guard let integer = value.index else { throw refusal("'%x'", value) }
      return try numberField(.integer(integer), specification)
    case "e", "E", "f", "F", "g", "G":
      guard let number = float(value), value.number != nil else { throw refusal("'%f'", value) }
      return try numberField(.float(number), specification)
    default: throw .evaluation("'%\(specification.type.map(String.init) ?? "")' is not a format")
    }
  }

  private func clipped(_ text: Text, _ count: Int?) -> Text {
    guard let count, count < text.count else { return text }
    return Text(scalars: text.scalars[..<count])
  }

  /// A number in `specification.type`, with sign and padding.
  private func numberField(_ number: Number, _ specification: FormatSpecification) throws(ChatTemplateError) -> Text {
    let isNegative: Bool
    var digits: String
    switch number {
    case .integer(let integer):
      isNegative = integer < 0
      let magnitude = integer.magnitude
      switch specification.type {
      case "x": digits = (specification.isAlternate ? "0x" : "") + String(magnitude, radix: 16)
      case "X": digits = (specification.isAlternate ? "0X" : "") + String(magnitude, radix: 16, uppercase: true)
      case "o": digits = (specification.isAlternate ? "0o" : "") + String(magnitude, radix: 8)
      case "b": digits = (specification.isAlternate ? "0b" : "") + String(magnitude, radix: 2)
      default: digits = String(magnitude)
      }
      if let precision = specification.precision, digits.utf8.count < precision {
        try checkLength(precision)
        digits = String(repeating: "0", count: precision - digits.utf8.count) + digits
      }
    case .float(let double):
      isNegative = double.sign == .minus && !double.isNaN
      digits = try Self.floatDigits(double.magnitude, specification)
    }
    if let separator = specification.groupsWith { digits = Self.grouped(digits, separator) }
    let sign = isNegative ? "-" : specification.sign.flatMap { $0 == "-" ? nil : String($0) } ?? ""
    return try laidOut(sign: Text(sign), Text(digits), specification)
  }

  private static func floatDigits(
    _ value: Double, _ specification: FormatSpecification
  ) throws(ChatTemplateError)
    -> String
  {
    let type = specification.type ?? "g"
    let isUpper = type.properties.isUppercase
    guard value.isFinite else {
      let text = value.isNaN ? "nan" : "inf"
      return isUpper ? text.uppercased() : text
    }
    let precision = specification.precision ?? 6
    guard precision <= 1000 else { throw .limit("a float is written with more than 1000 digits") }
    guard specification.type != nil else {
      return specification.precision == nil
        ? FloatText.representation(value) : String(format: "%.\(max(precision, 1))g", value)
    }
    let alternate = specification.isAlternate ? "#" : ""
    if type == "%" { return String(format: "%\(alternate).\(precision)f", value * 100) + "%" }
    return String(format: "%\(alternate).\(precision)\(type)", value)
  }

  private static func grouped(_ digits: String, _ separator: Unicode.Scalar) -> String {
    let whole = digits.prefix { $0.isNumber }
    var output = ""
    for (offset, digit) in whole.enumerated() {
      if offset > 0, (whole.count - offset) % 3 == 0 { output.unicodeScalars.append(separator) }
      output.append(digit)
    }
    return output + digits.dropFirst(whole.count)
  }

  private func laidOut(
    sign: Text, _ body: Text, _ specification: FormatSpecification
  ) throws(ChatTemplateError)
    -> Text
  {
    let missing = specification.width - sign.count - body.count
    guard missing > 0 else { return sign + body }
    try checkLength(missing * specification.fill.utf8.count)
    try charge(missing / 16)
    func padding(_ count: Int) -> Text { Text((0..<count).lazy.flatMap { _ in specification.fill.utf8 }) }
    switch specification.alignment {
    case "<": return sign + body + padding(missing)
    case "^": return padding(missing / 2) + sign + body + padding(missing - missing / 2)
    case "=": return sign + padding(missing) + body
    default: return padding(missing) + sign + body
    }
  }

  // MARK: str.format

  /// Python's `format.format(…)`.
  func braceFormatted(_ format: Text, _ arguments: Arguments) throws(ChatTemplateError) -> Value {
    var output: [UInt8] = []
    var automatic = 0
    var scalars = format.scalars[...]
    while let scalar = scalars.popFirst() {
      if scalar == "{" || scalar == "}", scalars.first == scalar {
        scalars.removeFirst()
        output.append(contentsOf: UTF8.encode(scalar) ?? .init())
        continue
      }
      guard scalar != "}" else { throw .evaluation("a '}' in a format has no '{'") }
      guard scalar == "{" else {
        output.append(contentsOf: UTF8.encode(scalar) ?? .init())
        continue
      }
      guard let close = scalars.firstIndex(of: "}") else { throw .evaluation("a '{' in a format is not closed") }
      var field = scalars[..<close]
      scalars = scalars[(close + 1)...]
      guard !field.contains("{") else { throw .unsupported("nested fields in 'format' are not supported") }
      var specification = ArraySlice<Unicode.Scalar>()
      if let colon = field.firstIndex(of: ":") {
        specification = field[(colon + 1)...]
        field = field[..<colon]
      }
      var conversion: Unicode.Scalar?
      if let mark = field.firstIndex(of: "!") {
        guard mark == field.endIndex - 2 else { throw .evaluation("a conversion in a format is malformed") }
        conversion = field.last
        field = field[..<mark]
      }
      var value = try fieldValue(Text(scalars: field), arguments, &automatic)
      switch conversion {
      case nil: break
      case "s": value = .string(try text(of: value))
      case "r": value = .string(try representation(of: value))
      default: throw .unsupported("the conversion '!\(conversion.map(String.init) ?? "")' is not supported")
      }
      output.append(contentsOf: try braceField(value, specification).utf8)
      try checkLength(output.count)
    }
    return try string(Text(utf8: output))
  }

  private func fieldValue(
    _ field: Text, _ arguments: Arguments, _ automatic: inout Int
  ) throws(ChatTemplateError)
    -> Value
  {
    guard !field.contains("[") else { throw .unsupported("subscripts in 'format' are not supported") }
    var parts = field.split(by: ".", limit: Int.max)
    let head = parts.removeFirst()
    var value: Value
    if head.isEmpty || Int(head.string) != nil {
      let index = head.isEmpty ? automatic : Int(head.string) ?? 0
      if head.isEmpty { automatic += 1 }
      guard arguments.positional.indices.contains(index) else { throw .evaluation("'format' has no value \(index)") }
      value = arguments.positional[index]
    } else {
      guard let named = arguments.keyword.first(where: { $0.name == head }) else {
        throw .evaluation("'format' has no value '\(head.string)'")
      }
      value = named.value
    }
    for part in parts { value = try attribute(part, of: value) }
    return value
  }

  private func braceField(_ value: Value, _ scalars: ArraySlice<Unicode.Scalar>) throws(ChatTemplateError) -> Text {
    if scalars.isEmpty { return try text(of: value) }
    var scalars = scalars
    var specification = FormatSpecification()
    let alignments: Set<Unicode.Scalar> = ["<", ">", "^", "="]
    if scalars.count > 1, alignments.contains(scalars[scalars.startIndex + 1]), let fill = scalars.popFirst() {
      specification.fill = Text(scalars: [fill])
      specification.alignment = scalars.popFirst()
    } else if let first = scalars.first, alignments.contains(first) {
      specification.alignment = scalars.popFirst()
    }
    if let sign = scalars.first, sign == "+" || sign == "-" || sign == " " { specification.sign = scalars.popFirst() }
    if scalars.first == "#" {
      specification.isAlternate = true
      scalars.removeFirst()
    }
    if scalars.first == "0" {
      scalars.removeFirst()
      if specification.alignment == nil {
        specification.alignment = "="
        specification.fill = "0"
      }
    }
    func none() throws(ChatTemplateError) -> Value { throw .evaluation("'*' is not part of a format") }
    specification.width = try number(from: &scalars, none) ?? 0
    if let separator = scalars.first, separator == "," || separator == "_" {
      specification.groupsWith = scalars.popFirst()
    }
    if scalars.first == "." {
      scalars.removeFirst()
      guard let precision = try number(from: &scalars, none) else {
        throw .evaluation("a format has '.' without digits")
      }
      specification.precision = precision
    }
    specification.type = scalars.popFirst()
    guard scalars.isEmpty else { throw .evaluation("a format is malformed") }
    switch value {
    case .string(let text):
      guard specification.type == nil || specification.type == "s", specification.alignment != "=",
        specification.sign == nil, specification.groupsWith == nil
      else { throw .evaluation("a string cannot be written in this format") }
      specification.alignment = specification.alignment ?? "<"
      return try laidOut(sign: "", clipped(text, specification.precision), specification)
    case .integer, .float, .bool:
      guard let number = value.number else { break }
      specification.alignment = specification.alignment ?? ">"
      let integerTypes: Set<Unicode.Scalar> = ["d", "x", "X", "o", "b"]
      let floatTypes: Set<Unicode.Scalar> = ["e", "E", "f", "F", "g", "G", "%"]
      if case .integer = number, specification.type.map(integerTypes.contains) ?? true {
        guard specification.precision == nil else { throw .evaluation("an integer has no precision") }
        return try numberField(number, specification)
      }
      guard specification.type.map(floatTypes.contains) ?? true else {
        throw .evaluation("\(value.typeName) cannot be written in this format")
      }
      return try numberField(.float(number.double), specification)
    default: break
    }
    throw .unsupported("a format for \(value.typeName) is not supported")
  }
}
