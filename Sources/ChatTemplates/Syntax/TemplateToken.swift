struct TemplateToken {
  enum Kind: Equatable {
    /// Text to print as it is.
    case data(Text)
    /// `{{`
    case expressionStart
    /// `}}`
    case expressionEnd
    /// `{%`
    case statementStart
    /// `%}`
    case statementEnd
    case name(String)
    case string(Text)
    case integer(Int)
    case float(Double)
    /// An operator or a bracket.
    case symbol(String)
    case end
  }

  let kind: Kind
  /// Line that the token starts on, from 1.
  let line: Int

  /// The token as an error message shows it.
  var described: String {
    switch kind {
    case .data: "text"
    case .expressionStart: "'{{'"
    case .expressionEnd: "'}}'"
    case .statementStart: "'{%'"
    case .statementEnd: "'%}'"
    case .name(let name): "'\(name)'"
    case .string: "a string"
    case .integer(let value): "'\(value)'"
    case .float(let value): "'\(value)'"
    case .symbol(let symbol): "'\(symbol)'"
    case .end: "the end of the template"
    }
  }
}
