internal import StructuredOutput
internal import Tokenization

/// What a chat says about tools.
struct ToolFields {
  /// The descriptions as the client sent them, for the chat template; `nil` when the model is to know of none.
  let descriptions: [JSONValue]?
  /// The functions that may be called.
  let definitions: [ToolDefinition]
  /// Whether and which of them must be.
  let choice: ToolChoice
  /// Whether one answer may call more than once.
  let allowsSeveralCalls: Bool

  init(_ fields: JSONFields) throws(APIError) {
    let given = try fields.array("tools") ?? []
    do {
      let known = try ToolDefinition.list(.array(given))
      choice =
        try fields.value("tool_choice").map { value throws(ConstraintError) in
          try ToolChoice(value, tools: known)
        } ?? (known.isEmpty ? .none : .auto)
      definitions = choice == .none ? [] : known
    } catch {
      throw APIError(error)
    }
    descriptions = definitions.isEmpty ? nil : given
    allowsSeveralCalls = try fields.bool("parallel_tool_calls") ?? true
  }

  /// Finds calls in an answer; `nil` when none can be made.
  func parser(format: ToolCallFormat?) -> ToolCallParser? {
    guard let format, !definitions.isEmpty else { return nil }
    return ToolCallParser(format: format, names: Set(definitions.map(\.name)))
  }

  /// What keeps an answer to calls that must be made, or the calls that it makes to their parameters; `nil` where
  /// there is nothing to keep to.
  func constraint(
    format: ToolCallFormat?, compiler: () throws(APIError) -> ConstraintCompiler, reasoning: ReasoningPrefix,
    budget: WorkBudget
  ) throws(APIError) -> GrammarConstraint? {
    guard !definitions.isEmpty else { return nil }
    if choice == .auto {
      guard let format, let compiler = try? compiler() else { return nil }
      do {
        return try compiler.textOrToolCalls(
          definitions, format: format, severalCalls: allowsSeveralCalls, reasoning: reasoning, budget: budget)
      } catch {
        throw APIError(error)
      }
    }
    guard let format else {
      throw .badRequest(
        "tool_choice asks for a call, and the model's chat template knows no form of calls; expected \"auto\" or \"none\"",
        parameter: "tool_choice")
    }
    let callable = if case .named(let name) = choice { definitions.filter { $0.name == name } } else { definitions }
    let compiler = try compiler()
    do {
      return try compiler.toolCalls(
        callable, format: format, severalCalls: choice == .required && allowsSeveralCalls, reasoning: reasoning,
        budget: budget)
    } catch {
      throw APIError(error)
    }
  }
}
