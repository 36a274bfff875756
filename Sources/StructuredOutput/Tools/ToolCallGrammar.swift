internal import JSON
package import Tokenization

extension ConstraintCompiler {
  /// Calls of tools and nothing else: for `tool_choice` `"required"` or a function by name.
  ///
  /// - Parameters:
  ///   - tools: the tools that may be called; at least one.
  ///   - severalCalls: whether one answer may call more than once (`parallel_tool_calls`).
  /// - Throws: `ConstraintError` for parameters that cannot be kept to.
  package func toolCalls(
    _ tools: [ToolDefinition], format: ToolCallFormat, severalCalls: Bool = true, reasoning: ReasoningPrefix = .none,
    budget: WorkBudget? = nil
  ) throws(ConstraintError) -> GrammarConstraint {
    guard !tools.isEmpty else { throw ConstraintError(path: "/tools", message: "is empty; a call needs a tool") }
    let key = Self.key("required", tools, format: format, severalCalls: severalCalls)
    return try constraint(key: key, reasoning: reasoning, budget: budget) { builder throws in
      try builder.calls(of: tools, format: format, severalCalls: severalCalls, isKept: true)
    }
  }

  /// Calls of tools, or an answer of the form that the request asks for: for `tool_choice` `"auto"` beside a form.
  ///
  /// - Throws: `ConstraintError` for a form that cannot be kept to, and for parameters of a strict tool that cannot be.
  package func toolCalls(
    _ tools: [ToolDefinition], orElse form: ResponseFormat, format: ToolCallFormat, severalCalls: Bool = true,
    reasoning: ReasoningPrefix = .none, budget: WorkBudget? = nil
  ) throws(ConstraintError) -> GrammarConstraint {
    let key = Self.key("auto or \(form.key)", tools, format: format, severalCalls: severalCalls)
    return try constraint(key: key, reasoning: reasoning, budget: budget) { builder throws in
      let calls = try builder.calls(of: tools, format: format, severalCalls: severalCalls, isKept: false)
      return try builder.choice([try builder.answer(form, after: reasoning), calls])
    }
  }

  /// Any text, in which calls that the model begins are kept to their tools' parameters: for `tool_choice` `"auto"`.
  ///
  /// A call begins with the format's tag, or where there is none with a tool's name at the beginning of the answer.
  /// Parameters that cannot be kept to are any JSON object, unless the tool is strict.
  ///
  /// - Throws: `ConstraintError` for parameters of a strict tool that cannot be kept to.
  package func textOrToolCalls(
    _ tools: [ToolDefinition], format: ToolCallFormat, severalCalls: Bool = true, reasoning: ReasoningPrefix = .none,
    budget: WorkBudget? = nil
  ) throws(ConstraintError) -> GrammarConstraint {
    let key = Self.key("auto", tools, format: format, severalCalls: severalCalls)
    return try constraint(key: key, reasoning: reasoning, isFree: true, budget: budget) { builder throws in
      try format.tag.isEmpty
        ? builder.textOrCalls(of: tools, format: format, severalCalls: severalCalls)
        : builder.textWithTaggedCalls(of: tools, format: format, severalCalls: severalCalls)
    }
  }

  private static func key(
    _ choice: String, _ tools: [ToolDefinition], format: ToolCallFormat, severalCalls: Bool
  ) -> String {
    let names = tools.map { "\($0.name) \($0.isStrict) \($0.path) \($0.parameters?.serialized() ?? "")" }
    return "tools \(choice) \(format) \(severalCalls) \(names.joined(separator: "\n"))"
  }
}

extension GrammarBuilder {
  /// One call of a tool.
  ///
  /// - Parameters:
  ///   - opening: what stands before it.
  ///   - isKept: whether parameters that cannot be kept to are an error, also for a tool that is not strict.
  fileprivate mutating func call(
    of tool: ToolDefinition, format: ToolCallFormat, opening: String, isKept: Bool
  ) throws -> Int {
    var parts = [
      try literals([opening + format.head(of: tool.name)]), try arguments(of: tool, isKept: isKept),
    ]
    if !format.tail.isEmpty { parts.append(try literals([format.tail])) }
    return try sequence(parts)
  }

  /// Calls and nothing else.
  ///
  /// - Parameter isTagged: whether the tag of the first has been written.
  fileprivate mutating func calls(
    of tools: [ToolDefinition], format: ToolCallFormat, severalCalls: Bool, isKept: Bool, isTagged: Bool = false
  ) throws -> Int {
    func call(_ builder: inout GrammarBuilder, _ opening: String) throws -> Int {
      try builder.choice(
        try tools.map { try builder.call(of: $0, format: format, opening: opening, isKept: isKept) })
    }
    let opening = String(format.opening.dropFirst(isTagged ? format.tag.count : 0))
    var parts = [try call(&self, opening)]
    if severalCalls, format.callsSeveral {
      let more = try call(&self, format.separator + format.opening)
      parts.append(try loop(more, minimum: 0, maximum: nil))
    }
    if let list = format.list {
      parts.insert(try literals([String(list.opening.dropFirst(isTagged ? format.tag.count : 0))]), at: 0)
      parts.append(try literals([list.closing]))
    }
    return try sequence(parts)
  }

  private mutating func arguments(of tool: ToolDefinition, isKept: Bool) throws -> Int {
    guard case .object(var parameters)? = tool.parameters else { return try JSONGrammar(&self).object }
    do {
      // Arguments are an object, also where the schema does not say so.
      switch parameters["type"] {
      case nil: parameters["type"] = "object"
      case .array(let types)? where types.contains("object"): parameters["type"] = "object"
      case .string("object")?: break
      case let other?:
        throw ConstraintError(
          path: tool.path + "/type", message: "is \(other.serialized()); expected \"object\", which arguments are")
      }
      return try SchemaCompiler.compile(.object(parameters), into: &self, at: tool.path, budget: budget)
    } catch is ConstraintError where !isKept && !tool.isStrict {
      return try JSONGrammar(&self).object
    }
  }

  /// Text with calls in tags.
  fileprivate mutating func textWithTaggedCalls(
    of tools: [ToolDefinition], format: ToolCallFormat, severalCalls: Bool
  ) throws -> Int {
    let tag = format.tag
    let tagged = BytePattern.sequence([.many(.bytes(.all)), .literal(tag), .many(.bytes(.all))])
    guard let lead = try freeText(through: tag), let any = try ByteAutomaton.make(.many(.bytes(.all))),
      let withTag = try ByteAutomaton.make(tagged),
      let without = try ByteAutomaton.combine(any, withTag, accepts: { $0 && !$1 })
    else { return try choice([]) }
    let rest = try freeText(without, states: without.statesBeforeTag)
    // Where calls are a list, or one is all, nothing follows.
    let endsAnswer = format.list != nil || !format.callsSeveral
    let call = try calls(
      of: tools, format: format, severalCalls: severalCalls && endsAnswer, isKept: false, isTagged: true)
    guard severalCalls, !endsAnswer else { return try choice([rest, try sequence([lead, call])]) }
    let text = try reserve()
    fill(text, with: try choice([rest, try sequence([lead, call, text])]))
    return text
  }

  /// Calls as the whole answer, or text that does not begin like one.
  fileprivate mutating func textOrCalls(
    of tools: [ToolDefinition], format: ToolCallFormat, severalCalls: Bool
  ) throws -> Int {
    let heads = BytePattern.choice(tools.map { .literal(format.head(of: $0.name)) })
    guard let any = try ByteAutomaton.make(.many(.bytes(.all))),
      let calling = try ByteAutomaton.make(.sequence([heads, .many(.bytes(.all))])),
      let text = try ByteAutomaton.combine(any, calling, accepts: { $0 && !$1 })
    else { return try choice([]) }
    let other = try freeText(text, states: [text.next(ByteAutomaton.start, 0)])
    return try choice([
      other, try calls(of: tools, format: format, severalCalls: severalCalls, isKept: false),
    ])
  }
}
