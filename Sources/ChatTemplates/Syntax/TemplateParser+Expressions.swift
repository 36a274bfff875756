extension TemplateParser {
  /// Names that stand for values.
  static let constants: [String: Literal] = [
    "true": .bool(true), "True": .bool(true), "false": .bool(false), "False": .bool(false), "none": .none,
    "None": .none,
  ]

  /// An expression, or several with commas between, which make a tuple.
  mutating func tupleExpression(
    allowsConditional: Bool = true, end: String? = nil, isParenthesized: Bool = false
  ) throws(ChatTemplateError) -> Expression {
    let line = line
    var elements: [Expression] = []
    var isTuple = false
    while true {
      let isEnd: Bool
      switch current.kind {
      case .expressionEnd, .statementEnd, .symbol(")"): isEnd = true
      default: isEnd = end.map(isName) ?? false
      }
      if isEnd { break }
      elements.append(try expression(allowsConditional: allowsConditional))
      guard skip(symbol: ",") else { break }
      isTuple = true
    }
    if !isTuple {
      if let only = elements.first { return only }
      guard isParenthesized else { throw failure("found \(current.described), expected an expression") }
    }
    return Expression(line: line, form: .tuple(elements))
  }

  /// One expression; with `allowsConditional`, `a if b else c` too.
  mutating func expression(allowsConditional: Bool = true) throws(ChatTemplateError) -> Expression {
    try descend()
    let line = line
    var result = try disjunction()
    var conditions = 0
    while allowsConditional, skip(name: "if") {
      // Each further `if` wraps what came before, so it counts as a level.
      conditions += 1
      try descend()
      branchDepth += 1
      let condition = try disjunction()
      let otherwise = skip(name: "else") ? try expression() : nil
      branchDepth -= 1
      result = Expression(line: line, form: .conditional(condition: condition, then: result, otherwise: otherwise))
    }
    for _ in 0..<conditions { ascend() }
    ascend()
    return result
  }

  private mutating func disjunction() throws(ChatTemplateError) -> Expression {
    let line = line
    var operands = [try conjunction()]
    while skip(name: "or") { operands.append(try conjunction()) }
    return operands.count == 1 ? operands[0] : Expression(line: line, form: .or(operands))
  }

  private mutating func conjunction() throws(ChatTemplateError) -> Expression {
    let line = line
    var operands = [try negation()]
    while skip(name: "and") { operands.append(try negation()) }
    return operands.count == 1 ? operands[0] : Expression(line: line, form: .and(operands))
  }

  private mutating func negation() throws(ChatTemplateError) -> Expression {
    let line = line
    guard skip(name: "not") else { return try comparison() }
    try descend()
    let operand = try negation()
    ascend()
    return Expression(line: line, form: .not(operand))
  }

  private mutating func comparison() throws(ChatTemplateError) -> Expression {
    let line = line
    let first = try arithmetic(minimumPrecedence: 1)
    var rest: [(operation: ComparisonOperator, operand: Expression)] = []
    while true {
      let operation: ComparisonOperator
      if case .symbol(let symbol) = current.kind, let comparison = ComparisonOperator(rawValue: symbol) {
        operation = comparison
        advance()
      } else if skip(name: "in") {
        operation = .isIn
      } else if isName("not"), peek().kind == .name("in") {
        advance()
        advance()
        operation = .isNotIn
      } else {
        break
      }
      rest.append((operation, try arithmetic(minimumPrecedence: 1)))
    }
    return rest.isEmpty ? first : Expression(line: line, form: .comparison(first, rest))
  }

  /// Precedence climbing over `+ - ~ * / // % **`; runs of one precedence become one flat node.
  private mutating func arithmetic(minimumPrecedence: Int) throws(ChatTemplateError) -> Expression {
    let line = line
    var first = try unary()
    var chain: [(operation: BinaryOperator, operand: Expression)] = []
    func closed() -> Expression {
      guard let precedence = chain.first?.operation.precedence else { return first }
      let form: Expression.Form =
        precedence == BinaryOperator.concatenate.precedence
        ? .concatenation([first] + chain.map(\.operand)) : .arithmetic(first, chain)
      return Expression(line: line, form: form)
    }
    while case .symbol(let symbol) = current.kind, let operation = BinaryOperator(rawValue: symbol),
      operation.precedence >= minimumPrecedence
    {
      if let previous = chain.first, previous.operation.precedence != operation.precedence {
        first = closed()
        chain = []
      }
      advance()
      chain.append((operation, try arithmetic(minimumPrecedence: operation.precedence + 1)))
    }
    return closed()
  }

  private mutating func unary(allowsFilters: Bool = true) throws(ChatTemplateError) -> Expression {
    let line = line
    var base: Expression
    if isSymbol("-") || isSymbol("+") {
      let isNegative = isSymbol("-")
      advance()
      try descend()
      let operand = try unary(allowsFilters: false)
      ascend()
      base = Expression(line: line, form: isNegative ? .negative(operand) : .positive(operand))
    } else {
      base = try primary()
    }
    var steps: [Postfix] = []
    try accesses(into: &steps)
    if allowsFilters { try filtersAndTests(into: &steps) }
    if !steps.isEmpty { base = Expression(line: line, form: .postfix(base, steps)) }
    return base
  }

  private mutating func primary() throws(ChatTemplateError) -> Expression {
    let token = current
    let form: Expression.Form
    switch token.kind {
    case .name(let name):
      advance()
      if let constant = Self.constants[name] {
        form = .literal(constant)
      } else {
        usedNames.insert(name)
        form = .name(Text(name))
      }
    case .string(var text):
      advance()
      while case .string(let next) = current.kind {
        text = text + next
        advance()
      }
      form = .literal(.string(text))
    case .integer(let value):
      advance()
      form = .literal(.integer(value))
    case .float(let value):
      advance()
      form = .literal(.float(value))
    case .symbol("("):
      advance()
      let inner = try tupleExpression(isParenthesized: true)
      try expect(symbol: ")")
      return inner
    case .symbol("["):
      advance()
      var elements: [Expression] = []
      while !isSymbol("]") {
        if !elements.isEmpty {
          try expect(symbol: ",")
          if isSymbol("]") { break }
        }
        elements.append(try expression())
      }
      advance()
      form = .list(elements)
    case .symbol("{"):
      advance()
      var entries: [(key: Expression, value: Expression)] = []
      while !isSymbol("}") {
        if !entries.isEmpty {
          try expect(symbol: ",")
          if isSymbol("}") { break }
        }
        let key = try expression()
        try expect(symbol: ":")
        entries.append((key, try expression()))
      }
      advance()
      form = .dictionary(entries)
    default:
      throw failure("found \(token.described), expected an expression")
    }
    return Expression(line: token.line, form: form)
  }

  /// `.name`, `[…]` and `(…)` after a value.
  private mutating func accesses(into steps: inout [Postfix]) throws(ChatTemplateError) {
    while true {
      let line = line
      if skip(symbol: ".") {
        switch current.kind {
        case .name(let name): steps.append(Postfix(line: line, form: .attribute(Text(name))))
        case .integer(let index):
          steps.append(Postfix(line: line, form: .item(Expression(line: line, form: .literal(.integer(index))))))
        default: throw failure("found \(current.described) after '.', expected a name or a number")
        }
        advance()
      } else if isSymbol("[") {
        steps.append(Postfix(line: line, form: try subscripted()))
      } else if isSymbol("(") {
        steps.append(Postfix(line: line, form: .call(try arguments())))
      } else {
        return
      }
    }
  }

  private mutating func filtersAndTests(into steps: inout [Postfix]) throws(ChatTemplateError) {
    while true {
      let line = line
      if isSymbol("|") {
        steps.append(contentsOf: try filterSteps(startsInline: false))
      } else if skip(name: "is") {
        steps.append(Postfix(line: line, form: try test(line: line)))
      } else if isSymbol("(") {
        steps.append(Postfix(line: line, form: .call(try arguments())))
      } else {
        return
      }
    }
  }

  private mutating func subscripted() throws(ChatTemplateError) -> Postfix.Form {
    let line = line
    try expect(symbol: "[")
    var elements: [Expression] = []
    while !isSymbol("]") {
      if !elements.isEmpty { try expect(symbol: ",") }
      let start = isSymbol(":") ? nil : try expression()
      guard isSymbol(":") else {
        if let start { elements.append(start) }
        continue
      }
      var bounds: [Expression?] = [start]
      while bounds.count < 3, skip(symbol: ":") {
        bounds.append(isSymbol(":") || isSymbol("]") || isSymbol(",") ? nil : try expression())
      }
      guard elements.isEmpty, isSymbol("]") else {
        throw ChatTemplateError(.unsupported, "slices in several dimensions are not supported", line: line)
      }
      advance()
      return .slice(start: start, stop: bounds.count > 1 ? bounds[1] : nil, step: bounds.count > 2 ? bounds[2] : nil)
    }
    advance()
    return .item(elements.count == 1 ? elements[0] : Expression(line: line, form: .tuple(elements)))
  }

  /// A run of `| name(…)`; with `startsInline`, the first has no bar before it.
  mutating func filterSteps(startsInline: Bool) throws(ChatTemplateError) -> [Postfix] {
    var steps: [Postfix] = []
    while (startsInline && steps.isEmpty) || skip(symbol: "|") {
      let line = line
      let name = try dottedName()
      if branchDepth == 0 {
        if let error = Filters.refusal(of: name) { throw error.located(at: line) }
      }
      steps.append(Postfix(line: line, form: .filter(name, isSymbol("(") ? try arguments() : ArgumentList())))
    }
    return steps
  }

  private mutating func dottedName() throws(ChatTemplateError) -> String {
    var name = try expectName()
    while skip(symbol: ".") { name += "." + (try expectName()) }
    return name
  }

  private mutating func test(line: Int) throws(ChatTemplateError) -> Postfix.Form {
    let isNegated = skip(name: "not")
    let name = try dottedName()
    if branchDepth == 0, let error = Tests.refusal(of: name) { throw error.located(at: line) }
    var list = ArgumentList()
    switch current.kind {
    case .symbol("("): list = try arguments()
    case .name("else"), .name("or"), .name("and"): break
    case .name("is"): throw failure("tests cannot be chained with 'is'")
    case .name, .string, .integer, .float, .symbol("["), .symbol("{"):
      let argumentLine = self.line
      let base = try primary()
      var steps: [Postfix] = []
      try accesses(into: &steps)
      list.positional = [steps.isEmpty ? base : Expression(line: argumentLine, form: .postfix(base, steps))]
    default: break
    }
    return .test(name, list, isNegated: isNegated)
  }

  private mutating func arguments() throws(ChatTemplateError) -> ArgumentList {
    try expect(symbol: "(")
    var list = ArgumentList()
    var isFirst = true
    while !isSymbol(")") {
      if !isFirst {
        try expect(symbol: ",")
        if isSymbol(")") { break }
      }
      isFirst = false
      let line = line
      if skip(symbol: "*") {
        guard list.unpackedPositional == nil, list.unpackedKeyword == nil else {
          throw failure("'*' may stand once in a call, before '**'", line: line)
        }
        list.unpackedPositional = try expression()
      } else if skip(symbol: "**") {
        guard list.unpackedKeyword == nil else { throw failure("'**' may stand once in a call", line: line) }
        list.unpackedKeyword = try expression()
      } else if case .name(let name) = current.kind, peek().kind == .symbol("=") {
        guard list.unpackedKeyword == nil else { throw failure("a keyword argument follows '**'", line: line) }
        advance()
        advance()
        guard !list.keyword.contains(where: { $0.name == Text(name) }) else {
          throw failure("keyword argument '\(name)' is given twice", line: line)
        }
        list.keyword.append((Text(name), try expression()))
      } else {
        guard list.keyword.isEmpty, list.unpackedPositional == nil, list.unpackedKeyword == nil else {
          throw failure("a positional argument follows keyword arguments", line: line)
        }
        list.positional.append(try expression())
      }
    }
    advance()
    return list
  }
}
