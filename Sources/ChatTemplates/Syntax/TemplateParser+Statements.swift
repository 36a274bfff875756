extension TemplateParser {
  /// Statements of Jinja that templates of models do not use; each is refused by name.
  private static let unsupportedTags: Set<String> = [
    "block", "extends", "include", "import", "from", "autoescape",
  ]

  /// Statements up to a tag named in `ends`, which is left as the current token; with no `ends`, to the template's end.
  mutating func statements(
    until ends: Set<String>, opening: (tag: String, line: Int)?
  ) throws(ChatTemplateError)
    -> [Statement]
  {
    try descend()
    var body: [Statement] = []
    while true {
      let line = line
      switch current.kind {
      case .data(let text):
        body.append(Statement(line: line, form: .text(text)))
        advance()
      case .expressionStart:
        advance()
        body.append(Statement(line: line, form: .print(try tupleExpression())))
        try expect(.expressionEnd)
      case .statementStart:
        advance()
        if case .name(let tag) = current.kind, ends.contains(tag) {
          ascend()
          return body
        }
        body.append(contentsOf: try statement(expecting: ends, opening: opening))
        try expect(.statementEnd)
      default:
        guard let opening else {
          ascend()
          return body
        }
        throw failure(
          "the template ends inside '\(opening.tag)' of line \(opening.line), expected "
            + ends.sorted().map { "'{% \($0) %}'" }.joined(separator: " or "))
      }
    }
  }

  /// The body of a statement: the end of its tag, statements, and the tag of `ends` that is left current.
  private mutating func body(
    of tag: String, line: Int, until ends: Set<String>
  ) throws(ChatTemplateError) -> [Statement] {
    _ = skip(symbol: ":")
    try expect(.statementEnd)
    return try statements(until: ends, opening: (tag, line))
  }

  /// A body that ends with `end`, which is consumed.
  private mutating func closedBody(of tag: String, line: Int, end: String) throws(ChatTemplateError) -> [Statement] {
    let statements = try body(of: tag, line: line, until: [end])
    advance()
    return statements
  }

  private mutating func statement(
    expecting ends: Set<String>, opening: (tag: String, line: Int)?
  )
    throws(ChatTemplateError) -> [Statement]
  {
    let line = line
    guard case .name(let tag) = current.kind else {
      throw failure("found \(current.described), expected the name of a statement")
    }
    advance()
    let form: Statement.Form
    switch tag {
    case "if": form = try conditional(line: line)
    case "for": form = try loop(line: line)
    case "set": form = try assignment(line: line)
    case "with": form = try scoped(line: line)
    case "filter":
      let filters = try filterSteps(startsInline: true)
      form = .filterBlock(filters, body: try closedBody(of: tag, line: line, end: "endfilter"))
    case "macro":
      let name = try expectName()
      form = .macro(try macro(named: name, tag: tag, line: line, end: "endmacro", hasSignature: true))
    case "call": form = try callBlock(line: line)
    case "generation":
      let outer = loopDepth
      loopDepth = 0
      form = .generation(try closedBody(of: tag, line: line, end: "endgeneration"))
      loopDepth = outer
    case "print":
      var prints: [Statement] = []
      while current.kind != .statementEnd {
        if !prints.isEmpty { try expect(symbol: ",") }
        prints.append(Statement(line: line, form: .print(try expression())))
      }
      return prints
    case "break", "continue":
      guard loopDepth > 0 else { throw failure("'\(tag)' stands outside a loop", line: line) }
      form = tag == "break" ? .breakLoop : .continueLoop
    case _ where Self.unsupportedTags.contains(tag):
      throw ChatTemplateError(.unsupported, "the statement '\(tag)' is not supported", line: line)
    default:
      let expected = ends.sorted().map { "'\($0)'" }.joined(separator: " or ")
      let place = opening.map { ", expected \(expected) for '\($0.tag)' of line \($0.line)" } ?? ""
      throw failure("unknown statement '\(tag)'\(place)", line: line)
    }
    return [Statement(line: line, form: form)]
  }

  private mutating func conditional(line: Int) throws(ChatTemplateError) -> Statement.Form {
    var branches: [(condition: Expression, body: [Statement])] = []
    var otherwise: [Statement] = []
    branchDepth += 1
    while true {
      let condition = try tupleExpression(allowsConditional: false)
      branches.append((condition, try body(of: "if", line: line, until: ["elif", "else", "endif"])))
      if skip(name: "elif") { continue }
      if skip(name: "else") {
        otherwise = try body(of: "if", line: line, until: ["endif"])
      }
      try expect(name: "endif")
      branchDepth -= 1
      return .conditional(branches, otherwise: otherwise)
    }
  }

  private mutating func loop(line: Int) throws(ChatTemplateError) -> Statement.Form {
    let target = try assignmentTarget(allowsNamespace: false, end: "in")
    if target.stores("loop") { throw failure("'loop' cannot be the variable of a loop", line: line) }
    try expect(name: "in")
    let sequence = try tupleExpression(allowsConditional: false, end: "recursive")
    let filter = skip(name: "if") ? try expression() : nil
    if isName("recursive") {
      throw ChatTemplateError(.unsupported, "recursive loops are not supported", line: self.line)
    }
    loopDepth += 1
    let statements = try body(of: "for", line: line, until: ["else", "endfor"])
    loopDepth -= 1
    var otherwise: [Statement] = []
    if skip(name: "else") {
      otherwise = try body(of: "for", line: line, until: ["endfor"])
    }
    try expect(name: "endfor")
    return .loop(Loop(target: target, sequence: sequence, filter: filter, body: statements, otherwise: otherwise))
  }

  private mutating func assignment(line: Int) throws(ChatTemplateError) -> Statement.Form {
    let target = try assignmentTarget(allowsNamespace: true, end: nil)
    if skip(symbol: "=") { return .set(target, try tupleExpression()) }
    let filters = try filterSteps(startsInline: false)
    return .setBlock(target, filters: filters, body: try closedBody(of: "set", line: line, end: "endset"))
  }

  private mutating func scoped(line: Int) throws(ChatTemplateError) -> Statement.Form {
    var bindings: [(target: AssignmentTarget, value: Expression)] = []
    while current.kind != .statementEnd {
      if !bindings.isEmpty { try expect(symbol: ",") }
      let target = try assignmentTarget(allowsNamespace: false, end: nil)
      try expect(symbol: "=")
      bindings.append((target, try expression()))
    }
    return .with(bindings, body: try closedBody(of: "with", line: line, end: "endwith"))
  }

  private mutating func callBlock(line: Int) throws(ChatTemplateError) -> Statement.Form {
    var parameters: [MacroDefinition.Parameter] = []
    if isSymbol("(") { parameters = try signature() }
    let call = try expression()
    guard case .postfix(_, let steps) = call.form, let last = steps.last, case .call = last.form else {
      throw failure("expected a call after 'call'", line: line)
    }
    let caller = try macro(
      named: "caller", tag: "call", line: line, end: "endcall", hasSignature: false, parameters: parameters)
    return .callBlock(call, caller: caller)
  }

  private mutating func macro(
    named name: String, tag: String, line: Int, end: String, hasSignature: Bool,
    parameters: [MacroDefinition.Parameter] = []
  ) throws(ChatTemplateError) -> MacroDefinition {
    let outerNames = usedNames
    let outerLoops = loopDepth
    usedNames = []
    loopDepth = 0
    let parameters = hasSignature ? try signature() : parameters
    let statements = try closedBody(of: tag, line: line, end: end)
    let declared = Set(parameters.map(\.name))
    func uses(_ name: String) -> Bool { usedNames.contains(name) && !declared.contains(Text(name)) }
    let definition = MacroDefinition(
      name: Text(name), parameters: parameters, body: statements, usesCaller: uses("caller"),
      usesVariablePositional: uses("varargs"), usesVariableKeyword: uses("kwargs"))
    usedNames = outerNames.union(usedNames)
    loopDepth = outerLoops
    return definition
  }

  private mutating func signature() throws(ChatTemplateError) -> [MacroDefinition.Parameter] {
    try expect(symbol: "(")
    var parameters: [MacroDefinition.Parameter] = []
    while !isSymbol(")") {
      if !parameters.isEmpty { try expect(symbol: ",") }
      let line = line
      let name = try storableName()
      var standard: Expression?
      if skip(symbol: "=") {
        standard = try expression()
      } else if parameters.last?.standard != nil {
        throw failure("parameter '\(name)' has no default but follows one that has", line: line)
      }
      guard !parameters.contains(where: { $0.name == Text(name) }) else {
        throw failure("parameter '\(name)' is declared twice", line: line)
      }
      parameters.append(.init(name: Text(name), standard: standard))
    }
    advance()
    return parameters
  }

  private mutating func storableName() throws(ChatTemplateError) -> String {
    let line = line
    let name = try expectName()
    if Self.constants[name] != nil { throw failure("cannot assign to '\(name)'", line: line) }
    return name
  }

  /// A name, a namespace's attribute, or several with commas. `end` is the word that may follow a trailing comma.
  private mutating func assignmentTarget(
    allowsNamespace: Bool, end: String?
  ) throws(ChatTemplateError)
    -> AssignmentTarget
  {
    try descend()
    var targets: [AssignmentTarget] = []
    var isTuple = false
    while true {
      if isSymbol(")") || current.kind == .statementEnd || (end.map(isName) ?? false) { break }
      if skip(symbol: "(") {
        targets.append(try assignmentTarget(allowsNamespace: allowsNamespace, end: nil))
        try expect(symbol: ")")
      } else {
        let name = try storableName()
        if allowsNamespace, skip(symbol: ".") {
          targets.append(.namespaceAttribute(Text(name), Text(try expectName())))
          usedNames.insert(name)
        } else {
          targets.append(.name(Text(name)))
        }
      }
      guard skip(symbol: ",") else { break }
      isTuple = true
    }
    ascend()
    if !isTuple {
      guard let target = targets.first else {
        throw failure("found \(current.described), expected a name to assign to")
      }
      return target
    }
    return .tuple(targets)
  }
}

extension AssignmentTarget {
  /// Whether the target stores the variable `name`.
  func stores(_ name: Text) -> Bool {
    switch self {
    case .name(let stored): stored == name
    case .namespaceAttribute: false
    case .tuple(let targets): targets.contains { $0.stores(name) }
    }
  }
}
