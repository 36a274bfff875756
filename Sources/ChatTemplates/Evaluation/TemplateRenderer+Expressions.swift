extension TemplateRenderer {
  /// The value of `expression`. With `caller`, the last call in it gets that as the argument `caller`.
  func evaluate(_ expression: Expression, in scope: Scope, caller: Value? = nil) throws(ChatTemplateError) -> Value {
    switch expression.form {
    case .literal(let literal):
      try charge(1)
      return Value(literal)
    case .name(let name):
      try charge(1)
      return lookUp(name, in: scope)
    default: break
    }
    try descend()
    do throws(ChatTemplateError) {
      let value = try evaluateCompound(expression.form, in: scope, caller: caller)
      ascend()
      return value
    } catch {
      throw error.located(at: expression.line)
    }
  }

  private func lookUp(_ name: Text, in scope: Scope) -> Value {
    if let value = scope.value(of: name) { return value }
    if let function = BuiltinFunction(rawValue: name.string) { return .function(function) }
    return .undefined(Undefined(message: "'\(name.string)' is undefined"))
  }

  /// Dispatches on the form. Evaluation recurses through here, so each case is a function of its own that is not
  /// inlined: together they would make this frame the sum of all of theirs, and deep templates need many.
  private func evaluateCompound(
    _ form: Expression.Form, in scope: Scope, caller: Value?
  ) throws(ChatTemplateError)
    -> Value
  {
    switch form {
    case .literal(let literal): return Value(literal)
    case .name(let name): return lookUp(name, in: scope)
    case .list(let expressions): return try list(try evaluate(all: expressions, in: scope))
    case .tuple(let expressions): return try tuple(try evaluate(all: expressions, in: scope))
    case .dictionary(let pairs): return try dictionaryLiteral(pairs, in: scope)
    case .arithmetic(let first, let rest): return try arithmetic(first, rest, in: scope)
    case .concatenation(let operands): return try concatenation(operands, in: scope)
    case .negative(let operand): return try negated(try evaluate(operand, in: scope))
    case .positive(let operand): return try positive(try evaluate(operand, in: scope))
    case .not(let operand): return .bool(!(try evaluate(operand, in: scope).isTrue))
    case .and(let operands): return try firstOperand(of: operands, where: false, in: scope)
    case .or(let operands): return try firstOperand(of: operands, where: true, in: scope)
    case .comparison(let first, let rest): return try comparison(first, rest, in: scope)
    case .conditional(let condition, let then, let otherwise):
      return try conditional(condition, then, otherwise, in: scope)
    case .postfix(let base, let steps): return try follow(steps, from: base, in: scope, caller: caller)
    }
  }

  @inline(never)
  private func arithmetic(
    _ first: Expression, _ rest: [(operation: BinaryOperator, operand: Expression)], in scope: Scope
  ) throws(ChatTemplateError) -> Value {
    var value = try evaluate(first, in: scope)
    for step in rest { value = try calculate(value, step.operation, try evaluate(step.operand, in: scope)) }
    return value
  }

  @inline(never)
  private func concatenation(_ operands: [Expression], in scope: Scope) throws(ChatTemplateError) -> Value {
    var bytes: [UInt8] = []
    for value in try evaluate(all: operands, in: scope) {
      bytes.append(contentsOf: try text(of: value).utf8)
      try checkLength(bytes.count)
    }
    return try string(Text(utf8: bytes))
  }

  @inline(never)
  private func positive(_ value: Value) throws(ChatTemplateError) -> Value {
    if case .bigInteger = value { return value }
    guard let number = value.number else { throw refusal("unary '+'", value) }
    return number.value
  }

  /// The first operand whose truth is `truth`, or the last one: Python's `or` and `and`.
  @inline(never)
  private func firstOperand(
    of operands: [Expression], where truth: Bool, in scope: Scope
  ) throws(ChatTemplateError)
    -> Value
  {
    var value = Value.none
    for operand in operands {
      value = try evaluate(operand, in: scope)
      if value.isTrue == truth { break }
    }
    return value
  }

  @inline(never)
  private func comparison(
    _ first: Expression, _ rest: [(operation: ComparisonOperator, operand: Expression)], in scope: Scope
  ) throws(ChatTemplateError) -> Value {
    var left = try evaluate(first, in: scope)
    for step in rest {
      let right = try evaluate(step.operand, in: scope)
      guard try compare(left, step.operation, right) else { return .bool(false) }
      left = right
    }
    return .bool(true)
  }

  @inline(never)
  private func conditional(
    _ condition: Expression, _ then: Expression, _ otherwise: Expression?, in scope: Scope
  ) throws(ChatTemplateError) -> Value {
    if try evaluate(condition, in: scope).isTrue { return try evaluate(then, in: scope) }
    if let otherwise { return try evaluate(otherwise, in: scope) }
    return .undefined(Undefined(message: "the inline 'if' was false and has no 'else'"))
  }

  @inline(never)
  private func evaluate(all expressions: [Expression], in scope: Scope) throws(ChatTemplateError) -> [Value] {
    var values: [Value] = []
    values.reserveCapacity(expressions.count)
    for expression in expressions { values.append(try evaluate(expression, in: scope)) }
    return values
  }

  @inline(never)
  private func dictionaryLiteral(
    _ pairs: [(key: Expression, value: Expression)], in scope: Scope
  )
    throws(ChatTemplateError) -> Value
  {
    var map = OrderedMap<Value, Value>()
    for pair in pairs {
      let key = try evaluate(pair.key, in: scope)
      try checkKey(key)
      map.set(try evaluate(pair.value, in: scope), for: key)
    }
    return try dictionary(map)
  }

  /// Refuses what Python cannot hash.
  func checkKey(_ key: Value) throws(ChatTemplateError) {
    try charge(key.weight)
    guard key.isHashable else { throw .evaluation("\(key.typeName) cannot be a key of a dictionary") }
  }

  @inline(never)
  private func follow(
    _ steps: [Postfix], from base: Expression, in scope: Scope, caller: Value?
  )
    throws(ChatTemplateError) -> Value
  {
    var value = try evaluate(base, in: scope)
    for (offset, step) in steps.enumerated() {
      try charge(1)
      do throws(ChatTemplateError) {
        value = try apply(step, to: value, in: scope, extra: offset == steps.count - 1 ? caller : nil)
      } catch {
        throw error.located(at: step.line)
      }
    }
    return value
  }

  /// One access, call, filter or test. `extra` is the caller of a call block.
  func apply(_ step: Postfix, to value: Value, in scope: Scope, extra: Value?) throws(ChatTemplateError) -> Value {
    switch step.form {
    case .attribute(let name): return try attribute(name, of: value)
    case .item(let index): return try item(try evaluate(index, in: scope), of: value)
    case .slice(let start, let stop, let step): return try sliced(value, start, stop, step, in: scope)
    case .call(let list): return try call(value, try evaluate(list, in: scope, extra: extra))
    case .filter(let name, let list): return try filter(name, value, try evaluate(list, in: scope, extra: nil))
    case .test(let name, let list, let isNegated):
      return .bool(try test(name, value, try evaluate(list, in: scope, extra: nil)) != isNegated)
    }
  }

  @inline(never)
  private func sliced(
    _ value: Value, _ start: Expression?, _ stop: Expression?, _ step: Expression?, in scope: Scope
  ) throws(ChatTemplateError) -> Value {
    var bounds: [Value] = []
    for bound in [start, stop, step] {
      if let bound { bounds.append(try evaluate(bound, in: scope)) } else { bounds.append(.none) }
    }
    return try slice(value, start: bounds[0], stop: bounds[1], step: bounds[2])
  }

  @inline(never)
  private func evaluate(_ list: ArgumentList, in scope: Scope, extra: Value?) throws(ChatTemplateError) -> Arguments {
    var arguments = Arguments()
    arguments.positional = try evaluate(all: list.positional, in: scope)
    for (name, value) in list.keyword { arguments.keyword.append((name, try evaluate(value, in: scope))) }
    if let unpacked = list.unpackedPositional {
      arguments.positional.append(contentsOf: try items(of: try evaluate(unpacked, in: scope), purpose: "unpack"))
    }
    if let unpacked = list.unpackedKeyword { try unpack(try evaluate(unpacked, in: scope), into: &arguments) }
    if let extra { arguments.keyword.append(("caller", extra)) }
    return arguments
  }

  /// Adds the entries of a dictionary as keyword arguments.
  private func unpack(_ value: Value, into arguments: inout Arguments) throws(ChatTemplateError) {
    guard case .dictionary(let entries) = value else { throw .evaluation("cannot unpack \(value.typeName) with '**'") }
    for (key, value) in zip(entries.map.keys, entries.map.values) {
      guard case .string(let name) = key else { throw .evaluation("the keys of '**' must be strings") }
      guard !arguments.keyword.contains(where: { $0.name == name }) else {
        throw .evaluation("keyword argument '\(name.string)' is given twice")
      }
      arguments.keyword.append((name, value))
    }
  }

  /// Calls `callee`.
  func call(_ callee: Value, _ arguments: Arguments) throws(ChatTemplateError) -> Value {
    switch callee {
    case .macro(let macro):
      try descend()
      let result = try call(macro, arguments)
      ascend()
      return result
    case .function(let function): return try call(function, arguments)
    case .method(let receiver, let name): return try callMethod(name, of: receiver, arguments)
    case .undefined(let undefined): throw .evaluation("\(undefined.message), so it cannot be called")
    default: throw .evaluation("\(callee.typeName) cannot be called")
    }
  }
}
