/// A node of a template's expressions.
///
/// Chains of equal precedence are flat lists, so the tree is never deeper than the parser's own recursion.
struct Expression: Sendable {
  let line: Int
  let form: Form

  indirect enum Form: Sendable {
    case literal(Literal)
    case name(Text)
    case list([Expression])
    case tuple([Expression])
    case dictionary([(key: Expression, value: Expression)])
    /// `first op a op b …`, evaluated from the left.
    case arithmetic(Expression, [(operation: BinaryOperator, operand: Expression)])
    /// `a ~ b ~ …`
    case concatenation([Expression])
    case negative(Expression)
    case positive(Expression)
    case not(Expression)
    case and([Expression])
    case or([Expression])
    /// `first < a <= b …`, as Python chains comparisons.
    case comparison(Expression, [(operation: ComparisonOperator, operand: Expression)])
    case conditional(condition: Expression, then: Expression, otherwise: Expression?)
    /// A base followed by accesses, calls, filters and tests.
    case postfix(Expression, [Postfix])
  }
}

/// One step that follows a value: `.name`, `[…]`, `(…)`, `|filter`, `is test`.
struct Postfix: Sendable {
  let line: Int
  let form: Form

  enum Form: Sendable {
    case attribute(Text)
    case item(Expression)
    case slice(start: Expression?, stop: Expression?, step: Expression?)
    case call(ArgumentList)
    case filter(String, ArgumentList)
    case test(String, ArgumentList, isNegated: Bool)
  }
}

/// The arguments of a call, a filter or a test as written.
struct ArgumentList: Sendable {
  var positional: [Expression] = []
  var keyword: [(name: Text, value: Expression)] = []
  /// `*expression`
  var unpackedPositional: Expression?
  /// `**expression`
  var unpackedKeyword: Expression?
}

enum BinaryOperator: String, Sendable {
  case add = "+"
  case subtract = "-"
  case concatenate = "~"
  case multiply = "*"
  case divide = "/"
  case floorDivide = "//"
  case modulo = "%"
  case power = "**"

  /// How tightly the operator binds. All of them associate to the left, `**` too, as in Jinja.
  var precedence: Int {
    switch self {
    case .add, .subtract: 1
    case .concatenate: 2
    case .multiply, .divide, .floorDivide, .modulo: 3
    case .power: 4
    }
  }
}

enum ComparisonOperator: String, Sendable {
  case equal = "=="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case isIn = "in"
  case isNotIn = "not in"
}

/// A value written in the template.
enum Literal: Sendable {
  case none
  case bool(Bool)
  case integer(Int)
  case float(Double)
  case string(Text)
}
