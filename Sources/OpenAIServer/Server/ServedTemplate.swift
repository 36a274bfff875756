internal import ChatTemplates
internal import Decoding
internal import JSON
internal import StructuredOutput
internal import Tokenization

/// A chat template with what the server has to know about it.
struct ServedTemplate: Sendable {
  let template: ChatTemplate
  let traits: ChatTemplateTraits
  /// How the model sets its thoughts apart, when the template tells it to.
  let reasoning: ReasoningFormat?
  /// How the model writes calls of tools, when the template tells it to.
  let toolCallFormat: ToolCallFormat?

  /// - Throws: `ChatTemplateError` for a template that does not parse.
  init(source: String, context: [String: JSONValue]) throws(ChatTemplateError) {
    template = try ChatTemplate(source: source)
    traits = ChatTemplateTraits(of: template, source: source, context: context)
    reasoning = ReasoningFormat(chatTemplate: source)
    toolCallFormat = ToolCallFormat(chatTemplate: source)
  }

  /// Control tokens that are text to the answer, because they are tags that it is read by.
  ///
  /// - Parameter hasTools: whether calls are looked for.
  func visibleTokens(in tokenizer: Tokenizer, hasTools: Bool) -> Set<TokenID> {
    let tags = (reasoning?.tags ?? []) + (hasTools ? toolCallFormat?.tags ?? [] : [])
    return Set(tags.compactMap { tokenizer.id(of: $0) }.filter { tokenizer.isSpecial($0) })
  }
}

/// The chat templates that a model comes with, by name.
struct ServedTemplates: Sendable {
  private let known: [String: Result<ServedTemplate, APIError>]
  /// Why there is none.
  private let reason: String

  /// The template with this source alone, or the model's own.
  ///
  /// - Throws: `ChatTemplateError` for a template that was given and does not parse; the model's own are looked at when
  ///   they are asked for.
  init(given: String?, tokenizer: Tokenizer, context: [String: JSONValue], path: String) throws(ChatTemplateError) {
    reason =
      "'\(path)' has no chat template; expected a model with one, or the server to be started with --chat-template"
    if let given {
      known = ["default": .success(try ServedTemplate(source: given, context: context))]
      return
    }
    known = tokenizer.chatTemplates.mapValues { source in
      do { return .success(try ServedTemplate(source: source, context: context)) } catch {
        return .failure(.badRequest("\(error)", parameter: "messages"))
      }
    }
  }

  /// All that can be used.
  var all: [ServedTemplate] { known.values.compactMap { try? $0.get() } }

  /// The template for a conversation: the one that the request names; else with tools the one named `tool_use`; else
  /// `default`, or the only one.
  ///
  /// - Throws: 400 when there is no such template.
  func template(named name: String?, hasTools: Bool) throws(APIError) -> ServedTemplate {
    let names = known.keys.sorted().map { "'\($0)'" }.joined(separator: ", ")
    if let name {
      guard let found = known[name] else {
        throw .badRequest(
          "chat_template is '\(name.prefix(60))'; expected the name of one of the model's templates\(names.isEmpty ? ", which has none" : ": \(names)")",
          parameter: "chat_template")
      }
      return try found.get()
    }
    let only = known.count == 1 ? known.values.first : nil
    guard let found = (hasTools ? known["tool_use"] : nil) ?? known["default"] ?? only else {
      throw .badRequest(
        known.isEmpty
          ? reason : "the model has the chat templates \(names) and no default one; expected chat_template to name one",
        parameter: known.isEmpty ? "messages" : "chat_template")
    }
    return try found.get()
  }
}
