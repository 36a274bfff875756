package import JSON
package import StructuredOutput
internal import Tokenization

/// What a chat says about tools.
package struct ToolFields {
  /// The descriptions as the client sent them, for the chat template; `nil` when the model is to know of none.
  package let descriptions: [JSONValue]?
  /// The functions that may be called.
  package let definitions: [ToolDefinition]
  /// Whether and which of them must be.
  package let choice: ToolChoice
  /// Whether one answer may call more than once.
  package let allowsSeveralCalls: Bool

  package init(_ fields: JSONFields) throws(APIError) {
    let given = try fields.array("tools") ?? []
    do {
      let known = try ToolDefinition.list(.array(given))
      let value = fields.value("tool_choice")
      if let value, let allowed = try ToolChoice.allowed(value, of: known) {
        (choice, definitions) = allowed
      } else {
        choice =
          try value.map { value throws(ConstraintError) in try ToolChoice(value, tools: known) }
          ?? (known.isEmpty ? .none : .auto)
        definitions = choice == .none ? [] : known
      }
    } catch {
      throw APIError(error)
    }
    descriptions = definitions.isEmpty ? nil : given
    allowsSeveralCalls = try fields.bool("parallel_tool_calls") ?? true
  }

  /// The names of the functions that may be called; `nil` when there are none.
  var names: Set<String>? { definitions.isEmpty ? nil : Set(definitions.map(\.name)) }

  /// Finds calls in an answer; `nil` when none can be made.
  func parser(format: ToolCallFormat?) -> ToolCallParser? {
    guard let format, let names else { return nil }
    let schemas = definitions.compactMap { tool in tool.parameters.map { (tool.name, $0) } }
    return ToolCallParser(format: format, names: names, schemas: Dictionary(uniqueKeysWithValues: schemas))
  }

  /// What keeps an answer to calls and to a form: a call where one must be made; else text of the form or a call, and
  /// without a form any text, in which a call keeps to its tool. `nil` where there is nothing to keep to.
  ///
  /// - Throws: 400 for what cannot be kept to.
  func constraint(
    form: ResponseFormat, format: ToolCallFormat?, constraints: ConstraintSource, reasoning: ReasoningPrefix,
    budget: WorkBudget
  ) throws(APIError) -> GrammarConstraint? {
    guard !definitions.isEmpty else {
      return try constraints.constraint(for: form, reasoning: reasoning, budget: budget)
    }
    guard choice == .auto else {
      guard let format, format.isKept else {
        throw .badRequest(
          "tool_choice asks for a call, and the model's chat template knows no form of calls\(format == nil ? "" : " that an answer can be kept to"); expected \"auto\" or \"none\"",
          parameter: "tool_choice")
      }
      let callable =
        if case .named(let name) = choice { definitions.filter { $0.name == name } } else { definitions }
      let compiler = try constraints.compiler()
      do {
        return try compiler.toolCalls(
          callable, format: format, severalCalls: choice == .required && allowsSeveralCalls, reasoning: reasoning,
          budget: budget)
      } catch {
        throw APIError(error)
      }
    }
    guard let format, format.isKept else {
      return try constraints.constraint(for: form, reasoning: reasoning, budget: budget)
    }
    guard form != .text else {
      guard let compiler = try? constraints.compiler() else { return nil }
      do {
        return try compiler.textOrToolCalls(
          definitions, format: format, severalCalls: allowsSeveralCalls, reasoning: reasoning, budget: budget)
      } catch {
        throw APIError(error)
      }
    }
    let compiler = try constraints.compiler()
    do {
      return try compiler.toolCalls(
        definitions, orElse: form, format: format, severalCalls: allowsSeveralCalls, reasoning: reasoning,
        budget: budget)
    } catch {
      throw APIError(error)
    }
  }
}
