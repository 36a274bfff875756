/// A recursive-descent parser of Jinja's grammar. This file holds the token cursor and what both halves share;
/// `TemplateParser+Statements` and `TemplateParser+Expressions` hold the grammar.
struct TemplateParser {
  private let tokens: [TemplateToken]
  private var position = 0
  /// Nested constructs at the current position.
  private var depth = 0
  /// Branches around the current position: there Jinja leaves unknown filters and tests to run time.
  var branchDepth = 0
  /// Loops around the current position within the innermost macro.
  var loopDepth = 0
  /// Names read so far; a macro looks here for `caller`, `varargs` and `kwargs`.
  var usedNames: Set<String> = []

  /// Parses a whole template.
  static func parse(_ source: String) throws(ChatTemplateError) -> [Statement] {
    var parser = TemplateParser(tokens: try TemplateLexer.tokenize(source))
    return try parser.statements(until: [], opening: nil)
  }

  private init(tokens: [TemplateToken]) { self.tokens = tokens }

  var current: TemplateToken { tokens[position] }
  var line: Int { current.line }

  func peek() -> TemplateToken { tokens[min(position + 1, tokens.count - 1)] }

  mutating func advance() { if position < tokens.count - 1 { position += 1 } }

  func failure(_ message: String, line: Int? = nil) -> ChatTemplateError {
    ChatTemplateError(.syntax, message, line: line ?? self.line)
  }

  func isSymbol(_ symbol: String) -> Bool { current.kind == .symbol(symbol) }
  func isName(_ name: String) -> Bool { current.kind == .name(name) }

  mutating func skip(symbol: String) -> Bool {
    guard isSymbol(symbol) else { return false }
    advance()
    return true
  }

  mutating func skip(name: String) -> Bool {
    guard isName(name) else { return false }
    advance()
    return true
  }

  mutating func expect(_ kind: TemplateToken.Kind) throws(ChatTemplateError) {
    guard current.kind == kind else {
      throw failure("found \(current.described), expected \(TemplateToken(kind: kind, line: 0).described)")
    }
    advance()
  }

  mutating func expect(symbol: String) throws(ChatTemplateError) { try expect(.symbol(symbol)) }
  mutating func expect(name: String) throws(ChatTemplateError) { try expect(.name(name)) }

  mutating func expectName() throws(ChatTemplateError) -> String {
    guard case .name(let name) = current.kind else { throw failure("found \(current.described), expected a name") }
    advance()
    return name
  }

  /// Enters one nested construct; every `descend` is followed by an `ascend` unless parsing fails.
  mutating func descend() throws(ChatTemplateError) {
    depth += 1
    guard depth <= TemplateLimits.syntaxDepth else {
      throw ChatTemplateError(.limit, "the template nests more than \(TemplateLimits.syntaxDepth) deep", line: line)
    }
  }

  mutating func ascend() { depth -= 1 }
}
