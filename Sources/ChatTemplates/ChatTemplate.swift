package import Foundation
package import JSON
package import Tokenization

/// A chat template: the Jinja program of a model that turns a conversation into the text of a prompt.
///
/// Renders as `transformers.apply_chat_template` does: trimmed blocks, no escaping, an immutable sandbox, and the
/// functions `raise_exception` and `strftime_now`. Parts of Jinja that models do not use are refused by name.
///
/// ```swift
/// let template = try ChatTemplate(source: tokenizerConfig.chatTemplate)
/// let prompt = try template.render(messages: [ChatMessage(role: "user", content: "Hello")])
/// ```
package struct ChatTemplate: Sendable {
  private let statements: [Statement]

  /// Parses `source`.
  ///
  /// - Throws: `ChatTemplateError` naming the line, what was found and what was expected.
  package init(source: String) throws(ChatTemplateError) {
    statements = try TemplateParser.parse(source)
  }

  /// The prompt for `messages`.
  ///
  /// - Parameters:
  ///   - tools: Descriptions of the functions that the model may call, `nil` for none.
  ///   - addGenerationPrompt: Whether the text ends where the assistant's answer begins.
  ///   - context: Further variables: `enable_thinking`, `bos_token`, `eos_token`, `date_string`, ….
  ///   - budget: Ends the rendering when it is cancelled.
  /// - Throws: `ChatTemplateError`; of kind `raised` when the template itself refuses the conversation.
  package func render(
    messages: [ChatMessage], tools: [JSONValue]? = nil, addGenerationPrompt: Bool = true,
    context: [String: JSONValue] = [:], budget: WorkBudget? = nil
  ) throws(ChatTemplateError) -> String {
    var limits = TemplateLimits()
    limits.budget = budget
    return try render(
      variables: Self.variables(messages: messages, tools: tools, addGenerationPrompt: addGenerationPrompt, context),
      limits: limits)
  }

  /// What a template sees beside its own variables: always `messages`, `tools`, `documents` and
  /// `add_generation_prompt`; `context` comes over them.
  package static func variables(
    messages: [ChatMessage], tools: [JSONValue]?, addGenerationPrompt: Bool, _ context: [String: JSONValue]
  ) -> [String: JSONValue] {
    var variables: [String: JSONValue] = [
      "messages": .array(messages.map { .object($0.fields) }),
      "tools": tools.map(JSONValue.array) ?? .null,
      "documents": .null,
      "add_generation_prompt": .bool(addGenerationPrompt),
    ]
    variables.merge(context) { _, given in given }
    return variables
  }

  /// The output with exactly `variables` defined, at the time `now`.
  package func render(
    variables: [String: JSONValue], limits: TemplateLimits = .init(), now: Date = Date(), timeZone: TimeZone = .current
  ) throws(ChatTemplateError) -> String {
    var values: [Text: Value] = [:]
    for (name, value) in variables { values[Text(name)] = Value(value) }
    let renderer = TemplateRenderer(limits: limits, now: now, timeZone: timeZone)
    return try renderer.render(statements, variables: values)
  }
}
