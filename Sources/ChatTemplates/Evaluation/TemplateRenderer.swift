import Foundation
internal import Tokenization

/// Renders a parsed template once: holds the output, the limits and what they have used up so far.
///
/// Statements are here; expressions, operators, filters, tests and methods are extensions in their own files.
final class TemplateRenderer {
  let limits: TemplateLimits
  /// What `strftime_now` takes for the current time, and where.
  let now: Date
  let timeZone: TimeZone
  private var output: [UInt8] = []
  private var steps = 0
  private var depth = 0
  /// Scopes that macros hold on to, and namespaces: both can form reference cycles, so they are emptied at the end.
  private var capturedScopes: [Scope] = []
  private var namespaces: [Namespace] = []

  init(limits: TemplateLimits, now: Date, timeZone: TimeZone) {
    self.limits = limits
    self.now = now
    self.timeZone = timeZone
  }

  /// The output of `statements` with `variables` defined.
  func render(_ statements: [Statement], variables: [Text: Value]) throws(ChatTemplateError) -> String {
    defer {
      for scope in capturedScopes { scope.variables = [:] }
      for namespace in namespaces { namespace.attributes = .init() }
    }
    _ = try execute(statements, in: Scope(parent: nil, variables: variables))
    return String(decoding: output, as: UTF8.self)
  }

  // MARK: Limits

  /// Counts `count` evaluation steps.
  func charge(_ count: Int) throws(ChatTemplateError) {
    steps += count
    guard steps <= limits.steps else {
      throw .limit("rendering takes more than \(limits.steps) evaluation steps")
    }
    if let budget = limits.budget, budget.isCancelled { throw .limit("nobody waits for the rendering any more") }
  }

  /// Enters one nested evaluation; the caller leaves it with `ascend`.
  func descend() throws(ChatTemplateError) {
    depth += 1
    guard depth <= limits.depth else {
      throw .limit("evaluation nests more than \(limits.depth) deep")
    }
    try charge(1)
  }

  func ascend() { depth -= 1 }

  /// A string value of `text`, checked against the limits.
  func string(_ text: Text) throws(ChatTemplateError) -> Value {
    try checkLength(text.utf8.count)
    try charge(text.utf8.count / 16)
    return .string(text)
  }

  /// Refuses strings of `count` bytes when that is too many; called before they are made where they could be huge.
  func checkLength(_ count: Int) throws(ChatTemplateError) {
    guard count <= limits.outputBytes else { throw .limit("a string has more than \(limits.outputBytes) bytes") }
  }

  /// The elements of a new list or tuple, checked against the limits.
  func elements(_ items: [Value]) throws(ChatTemplateError) -> Elements {
    try checkElements(items.count)
    try charge(items.count)
    let elements = Elements(items)
    guard elements.depth <= limits.valueDepth else {
      throw .limit("lists nest more than \(limits.valueDepth) deep")
    }
    return elements
  }

  func checkElements(_ count: Int) throws(ChatTemplateError) {
    guard count <= limits.elements else { throw .limit("a list has more than \(limits.elements) elements") }
  }

  func list(_ items: [Value]) throws(ChatTemplateError) -> Value { .list(try elements(items)) }
  func tuple(_ items: [Value]) throws(ChatTemplateError) -> Value { .tuple(try elements(items)) }

  /// An iterator over what `transform` makes of `items`, or over `items` themselves.
  func iterator(_ items: [Value], transform: ValueIterator.Transform? = nil) throws(ChatTemplateError) -> Value {
    let elements = try elements(items)
    return .iterator(ValueIterator(elements.items, depth: elements.depth, transform: transform))
  }

  func dictionary(_ map: OrderedMap<Value, Value>) throws(ChatTemplateError) -> Value {
    try checkElements(map.count)
    try charge(map.count)
    let entries = Entries(map)
    guard entries.depth <= limits.valueDepth else {
      throw .limit("dictionaries nest more than \(limits.valueDepth) deep")
    }
    return .dictionary(entries)
  }

  func namespace(_ attributes: OrderedMap<Text, Value>) throws(ChatTemplateError) -> Value {
    try charge(1)
    let namespace = Namespace(attributes)
    namespaces.append(namespace)
    return .namespace(namespace)
  }

  // MARK: Statements

  /// How a run of statements ended.
  enum Outcome {
    case finished
    case broke
    case continued
  }

  func write(_ text: Text) throws(ChatTemplateError) {
    guard output.count + text.utf8.count <= limits.outputBytes else {
      throw .limit("the output has more than \(limits.outputBytes) bytes")
    }
    try charge(text.utf8.count / 16)
    output.append(contentsOf: text.utf8)
  }

  /// What `statements` write, kept apart from the output.
  @inline(never)
  func captured(_ statements: [Statement], in scope: Scope) throws(ChatTemplateError) -> (Text, Outcome) {
    let outer = output
    output = []
    // An error ends the rendering, so the outer output need not be put back then.
    let outcome = try execute(statements, in: scope)
    let text = Text(utf8: output)
    output = outer
    try charge(text.utf8.count / 16)
    return (text, outcome)
  }

  func execute(_ statements: [Statement], in scope: Scope) throws(ChatTemplateError) -> Outcome {
    try descend()
    for statement in statements {
      do throws(ChatTemplateError) {
        let outcome = try execute(statement, in: scope)
        if outcome != .finished {
          ascend()
          return outcome
        }
      } catch {
        throw error.located(at: statement.line)
      }
    }
    ascend()
    return .finished
  }

  private func execute(_ statement: Statement, in scope: Scope) throws(ChatTemplateError) -> Outcome {
    try charge(1)
    switch statement.form {
    case .text(let text): try write(text)
    case .print(let expression): try write(try text(of: try evaluate(expression, in: scope)))
    case .conditional(let branches, let otherwise): return try choose(branches, otherwise, in: scope)
    case .loop(let loop): return try execute(loop, in: scope)
    case .set(let target, let expression):
      try assign(try evaluate(expression, in: scope), to: target, in: scope)
    case .setBlock(let target, let filters, let body):
      let (text, outcome) = try captured(body, in: Scope(parent: scope))
      guard outcome == .finished else { return outcome }
      try assign(try applying(filters, to: .string(text), in: scope), to: target, in: scope)
    case .with(let bindings, let body): return try execute(body, in: try bound(bindings, in: scope))
    case .filterBlock(let filters, let body):
      let (captured, outcome) = try captured(body, in: Scope(parent: scope))
      guard outcome == .finished else { return outcome }
      try write(try text(of: try applying(filters, to: .string(captured), in: scope)))
    case .macro(let definition): scope.variables[definition.name] = macro(definition, in: scope)
    case .callBlock(let call, let caller):
      try write(try text(of: try evaluate(call, in: scope, caller: macro(caller, in: scope))))
    case .generation(let body): _ = try execute(body, in: Scope(parent: scope))
    case .breakLoop: return .broke
    case .continueLoop: return .continued
    }
    return .finished
  }

  @inline(never)
  private func choose(
    _ branches: [(condition: Expression, body: [Statement])], _ otherwise: [Statement], in scope: Scope
  ) throws(ChatTemplateError) -> Outcome {
    for branch in branches where try evaluate(branch.condition, in: scope).isTrue {
      return try execute(branch.body, in: scope)
    }
    return try execute(otherwise, in: scope)
  }

  /// A scope within `scope` that holds the variables of a `with` statement; their values are read outside it.
  @inline(never)
  private func bound(
    _ bindings: [(target: AssignmentTarget, value: Expression)], in scope: Scope
  )
    throws(ChatTemplateError) -> Scope
  {
    let inner = Scope(parent: scope)
    for binding in bindings { try assign(try evaluate(binding.value, in: scope), to: binding.target, in: inner) }
    return inner
  }

  private func macro(_ definition: MacroDefinition, in scope: Scope) -> Value {
    capturedScopes.append(scope)
    return .macro(Macro(definition, scope: scope))
  }

  /// Applies `filters` one after the other.
  @inline(never)
  private func applying(_ filters: [Postfix], to value: Value, in scope: Scope) throws(ChatTemplateError) -> Value {
    var value = value
    for filter in filters { value = try apply(filter, to: value, in: scope, extra: nil) }
    return value
  }

  @inline(never)
  private func execute(_ loop: Loop, in scope: Scope) throws(ChatTemplateError) -> Outcome {
    let source = try items(of: try evaluate(loop.sequence, in: scope), purpose: "loop over")
    var passes: ((Value) throws(ChatTemplateError) -> Bool)?
    if let filter = loop.filter {
      passes = { (element: Value) throws(ChatTemplateError) -> Bool in
        let inner = Scope(parent: scope)
        try self.assign(element, to: loop.target, in: inner)
        return try self.evaluate(filter, in: inner).isTrue
      }
    }
    let state = LoopState(source: source, passes: passes)
    let loopName: Text = "loop"
    var hasFinishedBody = false
    while let element = try state.advance() {
      try charge(1)
      let inner = Scope(parent: scope)
      inner.variables[loopName] = .loop(state)
      try assign(element, to: loop.target, in: inner)
      let outcome = try execute(loop.body, in: inner)
      if outcome == .finished { hasFinishedBody = true }
      if outcome == .broke { break }
    }
    // Jinja counts an iteration only when it reaches the end of the body, so `else` also runs after a first `break`.
    if !hasFinishedBody { return try execute(loop.otherwise, in: scope) }
    return .finished
  }

  func assign(_ value: Value, to target: AssignmentTarget, in scope: Scope) throws(ChatTemplateError) {
    switch target {
    case .name(let name): scope.variables[name] = value
    case .namespaceAttribute(let name, let attribute):
      guard case .namespace(let namespace)? = scope.value(of: name) else {
        throw .evaluation("cannot assign to '\(name.string).\(attribute.string)': '\(name.string)' is not a namespace")
      }
      try checkNamespaceAttribute(attribute)
      namespace.attributes.set(value, for: attribute)
    case .tuple(let targets):
      let values = try items(of: value, purpose: "unpack")
      guard values.count == targets.count else {
        throw .evaluation("cannot unpack \(values.count) values into \(targets.count) names")
      }
      for (target, value) in zip(targets, values) { try assign(value, to: target, in: scope) }
    }
  }

  /// Transformers refuses attributes that start with an underscore.
  func checkNamespaceAttribute(_ name: Text) throws(ChatTemplateError) {
    guard !name.hasPrefix("_") else {
      throw .evaluation("a namespace cannot store '\(name.string)', which starts with an underscore")
    }
  }

  /// Runs `macro` with `arguments`; the result is what its body writes.
  func call(_ macro: Macro, _ arguments: Arguments) throws(ChatTemplateError) -> Value {
    let definition = macro.definition
    let name = definition.name.string
    let scope = Scope(parent: macro.scope)
    var keyword = arguments.keyword
    func takeKeyword(_ name: Text) -> Value? {
      guard let place = keyword.firstIndex(where: { $0.name == name }) else { return nil }
      return keyword.remove(at: place).value
    }
    for (place, parameter) in definition.parameters.enumerated() {
      if place < arguments.positional.count {
        scope.variables[parameter.name] = arguments.positional[place]
      } else if let value = takeKeyword(parameter.name) {
        scope.variables[parameter.name] = value
      } else if let standard = parameter.standard {
        scope.variables[parameter.name] = try evaluate(standard, in: scope)
      } else {
        scope.variables[parameter.name] = .undefined(
          Undefined(message: "parameter '\(parameter.name.string)' was not provided"))
      }
    }
    if definition.usesCaller {
      scope.variables["caller"] = takeKeyword("caller") ?? .undefined(Undefined(message: "no caller is defined"))
    }
    if definition.usesVariableKeyword {
      var map = OrderedMap<Value, Value>()
      for (name, value) in keyword { map.set(value, for: .string(name)) }
      scope.variables["kwargs"] = try dictionary(map)
    } else if let extra = keyword.first {
      throw .evaluation("macro '\(name)' takes no argument '\(extra.name.string)'")
    }
    let rest = arguments.positional.dropFirst(definition.parameters.count)
    if definition.usesVariablePositional {
      scope.variables["varargs"] = try tuple(Array(rest))
    } else if !rest.isEmpty {
      throw .evaluation(
        "macro '\(name)' takes at most \(definition.parameters.count) arguments, found \(arguments.positional.count)")
    }
    return .string(try captured(definition.body, in: scope).0)
  }
}
