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

  /// What keeps an answer to calls that must be made; `nil` when none must.
  func constraint(
    format: ToolCallFormat?, compiler: () throws(APIError) -> ConstraintCompiler, reasoning: ReasoningPrefix
  ) throws(APIError) -> GrammarConstraint? {
    let callable: [ToolDefinition]
    switch choice {
    case .none, .auto: return nil
    case .required: callable = definitions
    case .named(let name): callable = definitions.filter { $0.name == name }
    }
    guard let format else {
      throw .badRequest(
        "tool_choice asks for a call, and the model's chat template knows no form of calls; expected \"auto\" or \"none\"",
        parameter: "tool_choice")
    }
    let compiler = try compiler()
    do {
      return try compiler.toolCalls(
        callable, format: format, severalCalls: choice == .required && allowsSeveralCalls, reasoning: reasoning)
    } catch {
      throw APIError(error)
    }
  }
}
