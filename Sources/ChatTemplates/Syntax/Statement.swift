/// A node of a template's statements.
struct Statement: Sendable {
  let line: Int
  let form: Form

  indirect enum Form: Sendable {
    case text(Text)
    case print(Expression)
    case conditional([(condition: Expression, body: [Statement])], otherwise: [Statement])
    case loop(Loop)
    case set(AssignmentTarget, Expression)
    /// `{% set name | filter %}…{% endset %}`
    case setBlock(AssignmentTarget, filters: [Postfix], body: [Statement])
    case with([(target: AssignmentTarget, value: Expression)], body: [Statement])
    case filterBlock([Postfix], body: [Statement])
    case macro(MacroDefinition)
    /// `{% call(a) f(x) %}…{% endcall %}`; the call is the last step of the postfix chain.
    case callBlock(Expression, caller: MacroDefinition)
    /// `{% generation %}…{% endgeneration %}`, which only marks what the assistant wrote.
    case generation([Statement])
    case breakLoop
    case continueLoop
  }
}

/// A `for` statement.
struct Loop: Sendable {
  let target: AssignmentTarget
  let sequence: Expression
  /// The `if` after the sequence, which leaves elements out.
  let filter: Expression?
  let body: [Statement]
  /// Runs when there was no element at all.
  let otherwise: [Statement]
}

/// A macro, or the body of a call block.
struct MacroDefinition: Sendable {
  let name: Text
  let parameters: [Parameter]
  let body: [Statement]
  /// Whether the body uses `caller`, `varargs`, `kwargs`, which decides whether such arguments are accepted.
  let usesCaller: Bool
  let usesVariablePositional: Bool
  let usesVariableKeyword: Bool

  struct Parameter: Sendable {
    let name: Text
    let standard: Expression?
  }
}

/// What an assignment or a loop stores into.
indirect enum AssignmentTarget: Sendable {
  case name(Text)
  case namespaceAttribute(Text, Text)
  case tuple([AssignmentTarget])
}
