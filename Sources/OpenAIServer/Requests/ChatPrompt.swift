internal import ChatTemplates
internal import Inference
internal import JSON
internal import StructuredOutput
internal import Tokenization

/// A conversation, and how to put it into the chat template.
struct ChatPrompt {
  private let messages: [ChatMessage]
  private let addsGenerationPrompt: Bool
  /// The beginning of the answer that the last message is; `nil` when the answer is a message of its own.
  let continued: String?
  /// Whether the tokenizer adds what it puts around a text, which templates usually write themselves.
  private let addsSpecialTokens: Bool
  /// Keep special tokens in the conversation apart, where they are text.
  private let seams: SpecialTokenSeams?
  private let context: [String: JSONValue]
  /// The template that it is put into.
  let served: ServedTemplate

  /// - Parameter hasTools: whether the model is to know of tools.
  init(_ fields: JSONFields, hasTools: Bool, serving: ServingContext) throws(APIError) {
    served = try serving.templates.template(named: fields.string("chat_template"), hasTools: hasTools)
    guard let values = try fields.array("messages") else { throw fields.missing("messages", "an array of messages") }
    guard !values.isEmpty else { throw fields.wrong("messages", [], "at least one message") }
    var messages: [ChatMessage] = []
    for (index, value) in values.enumerated() {
      do { messages.append(try ChatMessage(client: value, at: "messages[\(index)]", for: served.traits)) } catch {
        throw .badRequest("\(error)", parameter: error.path, reason: error.message)
      }
    }
    messages = ChatMessage.conversation(messages, for: served.traits)
    addsSpecialTokens = try fields.bool("add_special_tokens") ?? false
    let continues = try fields.bool("continue_final_message") ?? false
    addsGenerationPrompt = try fields.bool("add_generation_prompt") ?? !continues
    if continues {
      guard !addsGenerationPrompt else {
        throw .badRequest(
          "continue_final_message and add_generation_prompt are both true; expected one of them: the answer goes on with the last message or is a new one",
          parameter: "continue_final_message")
      }
      continued = try Self.text(of: &messages, marking: Self.mark)
    } else {
      continued = nil
    }
    let seams = try Self.seams(fields, serving: serving)
    self.seams = seams
    if let seams {
      for index in messages.indices {
        for (key, value) in messages[index].fields.pairs where key != "role" {
          messages[index][key] = seams.sewn(value)
        }
      }
    }
    self.messages = messages
    func sewn(_ value: JSONValue) -> JSONValue { seams?.sewn(value) ?? value }
    var context = serving.model.target.templateContext
    if let documents = try fields.array("documents") { context["documents"] = sewn(.array(documents)) }
    if let effort = try Self.reasoningEffort(fields) {
      context["reasoning_effort"] = .string(served.reasoning == .harmony ? Self.harmonyEffort(effort) : effort)
      if effort == "none" { for name in served.traits.thinkingSwitches { context[name] = .bool(false) } }
    }
    if let more = try fields.fields("chat_template_kwargs") {
      let reserved: Set = ["messages", "tools", "add_generation_prompt"]
      for (key, value) in more.object.pairs where !reserved.contains(key) { context[key] = sewn(value) }
    }
    self.context = context
  }

  /// What keeps special tokens in the conversation apart; `nil` where they count.
  private static func seams(_ fields: JSONFields, serving: ServingContext) throws(APIError) -> SpecialTokenSeams? {
    guard try !serving.parsesSpecialTokens(fields) else { return nil }
    guard let seams = SpecialTokenSeams(for: .object(fields.object), tokenizer: serving.tokenizer) else {
      throw .badRequest(
        "the conversation holds all noncharacters from U+FDD0 to U+FDEF; expected one of them to be free",
        parameter: "messages")
    }
    return seams
  }

  /// How much the model is to think, where its template has a say in that.
  private static func reasoningEffort(_ fields: JSONFields) throws(APIError) -> String? {
    let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
    guard let effort = try fields.string("reasoning_effort") else { return nil }
    guard efforts.contains(effort) else {
      throw fields.wrong(
        "reasoning_effort", .string(effort), "one of " + efforts.map { "\"\($0)\"" }.joined(separator: ", "))
    }
    return effort
  }

  /// The nearest of the efforts that gpt-oss knows.
  private static func harmonyEffort(_ effort: String) -> String {
    switch effort {
    case "none", "minimal": "low"
    case "xhigh", "max": "high"
    default: effort
    }
  }

  /// The prompt's text.
  func text(tools: [JSONValue]?, budget: WorkBudget) throws(APIError) -> String {
    let text: String
    do {
      text = try served.template.render(
        messages: messages, tools: tools.map { $0.map { seams?.sewn($0) ?? $0 } },
        addGenerationPrompt: addsGenerationPrompt, context: context,
        budget: budget)
    } catch {
      throw .badRequest("\(error)", parameter: "messages", reason: "the chat template refuses the conversation")
    }
    guard continued != nil else { return text }
    guard let end = text.ranges(of: Self.mark).last?.lowerBound else {
      throw .badRequest(
        "continue_final_message is true, and the chat template does not write the last message's content; expected a message that it writes",
        parameter: "continue_final_message")
    }
    // A template that trims what it writes takes the space after the mark; what stands before it is to be trimmed too.
    if text[end...].hasPrefix(Self.mark + " ") { return String(text[..<end]) }
    var beginning = text[..<end]
    while let last = beginning.last, last.isWhitespace { beginning.removeLast() }
    return String(beginning)
  }

  /// The prompt's tokens, of which there may be `mostTokens`.
  func tokens(
    of text: String, mostTokens: Int, serving: ServingContext, budget: WorkBudget
  ) throws(APIError) -> [TokenID] {
    try serving.tokens(
      of: text, addsSpecialTokens: addsSpecialTokens, seams: seams, mostTokens: mostTokens, budget: budget)
  }

  /// Stands at the end of a message that the answer goes on with, so that the place is found in the rendered text.
  private static let mark = "\u{F8FF}\u{E000}end of the message to continue\u{E000}\u{F8FF}"

  /// The last message's content, which gets `mark` at its end.
  private static func text(of messages: inout [ChatMessage], marking mark: String) throws(APIError) -> String {
    let last = messages.count - 1
    switch messages[last]["content"] {
    case .string(let content)? where !content.isEmpty:
      messages[last]["content"] = .string(content + mark + " ")
      return content
    case .array(var parts)?:
      guard let content = parts.last?["text"]?.string, !content.isEmpty else { break }
      parts[parts.count - 1] = ["type": "text", "text": .string(content + mark + " ")]
      messages[last]["content"] = .array(parts)
      return content
    default: break
    }
    throw .badRequest(
      "continue_final_message is true, and messages[\(last)].content is no text; expected the text to go on with",
      parameter: "messages[\(last)].content")
  }
}
