extension TemplateLexer {
  private static let twoCharacterSymbols: Set<String> = ["//", "**", "==", "!=", ">=", "<="]
  private static let symbols: Set<Unicode.Scalar> = [
    "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
  ]

  /// The tokens of one tag up to and including its end.
  mutating func code(isStatement: Bool) throws(ChatTemplateError) {
    let close = isStatement ? "%}" : "}}"
    var open: [Unicode.Scalar] = []
    while let current = scalar(at: position) {
      if open.isEmpty, let end = tagEnd(close, at: position, trimsLineBreak: isStatement) {
        append(isStatement ? .statementEnd : .expressionEnd)
        advance(to: end)
        return
      }
      if current.isPythonWhitespace {
        advance(to: position + 1)
      } else if ("0"..."9").contains(current) {
        try number()
      } else if current == "_" || current.properties.isXIDContinue {
        try name()
      } else if current == "'" || current == "\"" {
        try string(quote: current)
      } else {
        try symbol(current, open: &open)
      }
    }
    throw failure("the template ends inside a tag, expected '\(close)'")
  }

  private mutating func symbol(_ current: Unicode.Scalar, open: inout [Unicode.Scalar]) throws(ChatTemplateError) {
    if let next = scalar(at: position + 1), case let pair = "\(current)\(next)", Self.twoCharacterSymbols.contains(pair)
    {
      append(.symbol(pair))
      advance(to: position + 2)
      return
    }
    guard Self.symbols.contains(current) else { throw failure("unexpected character '\(current)'") }
    switch current {
    case "{": open.append("}")
    case "(": open.append(")")
    case "[": open.append("]")
    case "}", ")", "]":
      guard let expected = open.popLast() else { throw failure("unexpected '\(current)', no bracket is open") }
      guard expected == current else { throw failure("unexpected '\(current)', expected '\(expected)'") }
    default: break
    }
    append(.symbol(String(current)))
    advance(to: position + 1)
  }

  private mutating func name() throws(ChatTemplateError) {
    var end = position
    while let scalar = scalar(at: end), scalar == "_" || scalar.properties.isXIDContinue { end += 1 }
    guard source[position] == "_" || source[position].properties.isXIDStart else {
      throw failure("names may not start with '\(source[position])'")
    }
    append(.name(Text(scalars: source[position..<end]).string))
    advance(to: end)
  }

  /// End of a run of digits that may hold single underscores between them.
  private func digitsEnd(from offset: Int, where isDigit: (Unicode.Scalar) -> Bool) -> Int {
    var end = offset
    while let current = scalar(at: end) {
      if isDigit(current) {
        end += 1
      } else if current == "_", end > offset, let next = scalar(at: end + 1), isDigit(next) {
        end += 2
      } else {
        break
      }
    }
    return end
  }

  private static func isDecimal(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

  private mutating func number() throws(ChatTemplateError) {
    if source[position] == "0", let radix = scalar(at: position + 1).flatMap(Self.radix) {
      let start = position + 2 + (scalar(at: position + 2) == "_" ? 1 : 0)
      let end = digitsEnd(from: start) { Character($0).hexDigitValue.map { $0 < radix } ?? false }
      if end > start { return try integer(from: start, to: end, radix: radix) }
    }
    let whole = digitsEnd(from: position, where: Self.isDecimal)
    var end = whole
    // A digit run after a dot, as in `row.0.1`, is an index and not the start of a fraction.
    if position == 0 || source[position - 1] != "." {
      if scalar(at: end) == "." {
        let fraction = digitsEnd(from: end + 1, where: Self.isDecimal)
        if fraction > end + 1 { end = fraction }
      }
      if scalar(at: end) == "e" || scalar(at: end) == "E" {
        let sign = scalar(at: end + 1) == "+" || scalar(at: end + 1) == "-" ? 1 : 0
        let exponent = digitsEnd(from: end + 1 + sign, where: Self.isDecimal)
        if exponent > end + 1 + sign { end = exponent }
      }
    }
    guard end > whole else {
      // Jinja reads `01` as two numbers, which no rule of its grammar accepts.
      let isZero = source[position..<whole].allSatisfy { $0 == "0" || $0 == "_" }
      guard source[position] != "0" || isZero else { throw failure("numbers may not start with '0'") }
      return try integer(from: position, to: whole, radix: 10)
    }
    let literal = Text(scalars: source[position..<end].filter { $0 != "_" }).string
    guard let value = Double(literal) else { throw failure("'\(literal)' is not a number") }
    append(.float(value))
    advance(to: end)
  }

  private static func radix(_ mark: Unicode.Scalar) -> Int? {
    switch mark {
    case "b", "B": 2
    case "o", "O": 8
    case "x", "X": 16
    default: nil
    }
  }

  private mutating func integer(from start: Int, to end: Int, radix: Int) throws(ChatTemplateError) {
    let digits = Text(scalars: source[start..<end].filter { $0 != "_" }).string
    guard let value = Int(digits, radix: radix) else { throw failure("the integer \(digits) does not fit 64 bits") }
    append(.integer(value))
    advance(to: end)
  }

  private mutating func string(quote: Unicode.Scalar) throws(ChatTemplateError) {
    var output: [Unicode.Scalar] = []
    var offset = position + 1
    while let current = scalar(at: offset), current != quote {
      if current == "\\" {
        try escape(at: &offset, into: &output)
      } else {
        output.append(current)
        offset += 1
      }
    }
    guard offset < source.count else { throw failure("the string is not closed, expected \(quote)") }
    append(.string(Text(scalars: output)))
    advance(to: offset + 1)
  }

  private func escape(at offset: inout Int, into output: inout [Unicode.Scalar]) throws(ChatTemplateError) {
    guard let mark = scalar(at: offset + 1) else { throw failure("the string is not closed") }
    offset += 2
    switch mark {
    case "\n": break
    case "\\", "'", "\"": output.append(mark)
    case "a": output.append("\u{07}")
    case "b": output.append("\u{08}")
    case "f": output.append("\u{0C}")
    case "n": output.append("\n")
    case "r": output.append("\r")
    case "t": output.append("\t")
    case "v": output.append("\u{0B}")
    case "0"..."7":
      var value: UInt32 = 0
      var end = offset - 1
      while end < offset + 2, let digit = scalar(at: end), ("0"..."7").contains(digit) {
        value = value * 8 + (digit.value - 0x30)
        end += 1
      }
      offset = end
      if let scalar = Unicode.Scalar(value) { output.append(scalar) }
    case "x", "u", "U":
      let length = mark == "x" ? 2 : mark == "u" ? 4 : 8
      let digits = Text(scalars: source[offset..<min(offset + length, source.count)]).string
      guard digits.utf8.count == length, digits.allSatisfy(\.isHexDigit), let value = UInt32(digits, radix: 16) else {
        throw failure("expected \(length) hexadecimal digits after \\\(mark)")
      }
      guard let scalar = Unicode.Scalar(value) else { throw failure("\\\(mark)\(digits) is not a code point") }
      output.append(scalar)
      offset += length
    case "N":
      throw ChatTemplateError(.unsupported, "escapes of characters by name (\\N{…}) are not supported", line: line)
    default: output.append(contentsOf: ["\\", mark])
    }
  }
}
