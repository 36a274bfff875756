/// Splits a template into tokens, with Jinja's white space rules under `trim_blocks` and `lstrip_blocks`.
///
/// This file walks the text between tags; `TemplateLexer+Code` reads what stands inside them.
struct TemplateLexer {
  let source: [Unicode.Scalar]
  var position = 0
  var line = 1
  var tokens: [TemplateToken] = []
  /// Whether the last match ended with a line break, so that a tag that follows at once starts its line.
  private var atLineStart = true

  init(source: String) {
    // Every line break becomes \n, and one at the very end is dropped, as Jinja does.
    var scalars: [Unicode.Scalar] = []
    var previous: Unicode.Scalar?
    for scalar in source.unicodeScalars {
      if scalar == "\r" {
        scalars.append("\n")
      } else if !(scalar == "\n" && previous == "\r") {
        scalars.append(scalar)
      }
      previous = scalar
    }
    if scalars.last == "\n" { scalars.removeLast() }
    self.source = scalars
  }

  /// All tokens, the last being `.end`.
  static func tokenize(_ source: String) throws(ChatTemplateError) -> [TemplateToken] {
    var lexer = TemplateLexer(source: source)
    while lexer.position < lexer.source.count { try lexer.textAndTag() }
    lexer.append(.end)
    return lexer.tokens
  }

  mutating func append(_ kind: TemplateToken.Kind) { tokens.append(TemplateToken(kind: kind, line: line)) }

  func failure(_ message: String) -> ChatTemplateError { ChatTemplateError(.syntax, message, line: line) }

  func scalar(at offset: Int) -> Unicode.Scalar? { offset < source.count ? source[offset] : nil }

  func matches(_ text: String, at offset: Int) -> Bool {
    var offset = offset
    for scalar in text.unicodeScalars {
      guard self.scalar(at: offset) == scalar else { return false }
      offset += 1
    }
    return true
  }

  /// Moves to `end`, counting lines.
  mutating func advance(to end: Int) {
    for index in position..<end where source[index] == "\n" { line += 1 }
    position = end
  }

  func skippingWhitespace(from offset: Int) -> Int {
    var offset = offset
    while let scalar = scalar(at: offset), scalar.isPythonWhitespace { offset += 1 }
    return offset
  }

  /// The text up to the next tag, and that tag.
  private mutating func textAndTag() throws(ChatTemplateError) {
    var start = position
    while start < source.count,
      !(source[start] == "{"
        && (scalar(at: start + 1) == "%" || scalar(at: start + 1) == "{" || scalar(at: start + 1) == "#"))
    {
      start += 1
    }
    guard start < source.count else {
      appendText(source[position...])
      advance(to: source.count)
      return
    }
    let mark = source[start + 1]
    let sign = scalar(at: start + 2).flatMap { $0 == "-" || $0 == "+" ? $0 : nil }
    appendText(trimmed(source[position..<start], sign: sign, isExpression: mark == "{"))
    let bodyStart = start + (sign == nil ? 2 : 3)
    if mark == "%", let rawEnd = rawTagEnd(from: bodyStart) {
      advance(to: rawEnd)
      try raw()
      return
    }
    advance(to: start)
    switch mark {
    case "#":
      advance(to: bodyStart)
      try comment()
    case "%":
      append(.statementStart)
      advance(to: bodyStart)
      try code(isStatement: true)
    default:
      append(.expressionStart)
      advance(to: bodyStart)
      try code(isStatement: false)
    }
    atLineStart = position > 0 && source[position - 1] == "\n"
  }

  private mutating func appendText(_ scalars: some Sequence<Unicode.Scalar>) {
    let text = Text(scalars: scalars)
    if !text.isEmpty { append(.data(text)) }
  }

  /// What is left of the text before a tag: `-` takes all white space before it; otherwise white space between the
  /// start of the line and a statement or comment goes.
  private func trimmed(
    _ text: ArraySlice<Unicode.Scalar>, sign: Unicode.Scalar?, isExpression: Bool
  ) -> ArraySlice<Unicode.Scalar> {
    var end = text.endIndex
    if sign == "-" {
      while end > text.startIndex, text[end - 1].isPythonWhitespace { end -= 1 }
      return text[..<end]
    }
    if sign == "+" || isExpression { return text }
    while end > text.startIndex, text[end - 1] != "\n", text[end - 1].isPythonWhitespace { end -= 1 }
    let startsLine = end > text.startIndex ? text[end - 1] == "\n" : atLineStart
    return startsLine ? text[..<end] : text
  }

  /// Where a tag that closes at `offset` ends, its white space control included; `nil` when none closes there.
  func tagEnd(_ close: String, at offset: Int, trimsLineBreak: Bool) -> Int? {
    if scalar(at: offset) == "-", matches(close, at: offset + 1) { return skippingWhitespace(from: offset + 3) }
    if trimsLineBreak, scalar(at: offset) == "+", matches(close, at: offset + 1) { return offset + 3 }
    guard matches(close, at: offset) else { return nil }
    return trimsLineBreak && scalar(at: offset + 2) == "\n" ? offset + 3 : offset + 2
  }

  private mutating func comment() throws(ChatTemplateError) {
    var offset = position
    while offset < source.count {
      if let end = tagEnd("#}", at: offset, trimsLineBreak: true) {
        advance(to: end)
        return
      }
      offset += 1
    }
    throw failure("the comment is not closed, expected '#}'")
  }

  /// The end of `raw %}` when that is what stands at `offset`.
  private func rawTagEnd(from offset: Int) -> Int? {
    let word = skippingWhitespace(from: offset)
    guard matches("raw", at: word) else { return nil }
    let close = skippingWhitespace(from: word + 3)
    if matches("-%}", at: close) { return skippingWhitespace(from: close + 3) }
    return matches("%}", at: close) ? close + 2 : nil
  }

  /// The text up to `{% endraw %}`.
  private mutating func raw() throws(ChatTemplateError) {
    atLineStart = source[position - 1] == "\n"
    var start = position
    while start < source.count {
      if matches("{%", at: start) {
        let sign = scalar(at: start + 2).flatMap { $0 == "-" || $0 == "+" ? $0 : nil }
        let word = skippingWhitespace(from: start + (sign == nil ? 2 : 3))
        if matches("endraw", at: word),
          let end = tagEnd("%}", at: skippingWhitespace(from: word + 6), trimsLineBreak: true)
        {
          appendText(trimmed(source[position..<start], sign: sign, isExpression: false))
          advance(to: end)
          atLineStart = source[end - 1] == "\n"
          return
        }
      }
      start += 1
    }
    throw failure("the raw block is not closed, expected '{% endraw %}'")
  }
}
