internal import Speculation
internal import Tokenization

/// A conversation, and how to put it into the chat template.
struct ChatPrompt {
  private let messages: [ChatMessage]
  private let addsGenerationPrompt: Bool
  /// The beginning of the answer that the last message is; `nil` when the answer is a message of its own.
  let continued: String?
  /// Whether the tokenizer adds what it puts around a text, which templates usually write themselves.
  private let addsSpecialTokens: Bool
  private let context: [String: JSONValue]
  private let template: ChatTemplate

  init(_ fields: JSONFields, serving: ServingContext) throws(APIError) {
    template = try serving.chatTemplate.get()
    guard let values = try fields.array("messages") else { throw fields.missing("messages", "an array of messages") }
    guard !values.isEmpty else { throw fields.wrong("messages", [], "at least one message") }
    var messages: [ChatMessage] = []
    for (index, value) in values.enumerated() {
      messages.append(try Self.message(value, name: "messages[\(index)]"))
    }
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
    self.messages = messages
    var context = serving.model.target.templateContext
    if let more = try fields.fields("chat_template_kwargs") {
      let reserved: Set = ["messages", "tools", "add_generation_prompt"]
      for (key, value) in more.object.pairs where !reserved.contains(key) { context[key] = value }
    }
    self.context = context
  }

  /// The prompt's text.
  func text(tools: [JSONValue]?, budget: WorkBudget) throws(APIError) -> String {
    let text: String
    do {
      text = try template.render(
        messages: messages, tools: tools, addGenerationPrompt: addsGenerationPrompt, context: context,
        budget: budget)
    } catch {
      throw .badRequest("\(error)", parameter: "messages")
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

  /// The prompt's tokens.
  func tokens(of text: String, serving: ServingContext, budget: WorkBudget) throws(APIError) -> [TokenID] {
    try serving.tokens(of: text, addsSpecialTokens: addsSpecialTokens, budget: budget)
  }

  /// Stands at the end of a message that the answer goes on with, so that the place is found in the rendered text.
  private static let mark = "\u{F8FF}\u{E000}end of the message to continue\u{E000}\u{F8FF}"

  /// The last message's content, which gets `mark` at its end.
  private static func text(of messages: inout [ChatMessage], marking mark: String) throws(APIError) -> String {
    let last = messages.count - 1
    guard let content = messages[last]["content"]?.string else {
      throw .badRequest(
        "continue_final_message is true, and messages[\(last)].content is no text; expected the text to go on with",
        parameter: "messages[\(last)].content")
    }
    messages[last]["content"] = .string(content + mark + " ")
    return content
  }

  private static func message(_ value: JSONValue, name: String) throws(APIError) -> ChatMessage {
    guard case .object(let object) = value else {
      throw .badRequest("\(name) is \(JSONFields.shown(value)); expected an object", parameter: name)
    }
    let fields = JSONFields(object, path: name + ".")
    guard try fields.string("role") != nil else {
      throw fields.missing("role", "\"system\", \"user\", \"assistant\" or \"tool\"")
    }
    var message: ChatMessage
    do { message = try ChatMessage(json: value) } catch { throw .badRequest("\(error)", parameter: name) }
    switch fields.value("content") {
    case nil, .string: break
    case .array(let parts)?: message["content"] = .string(try text(of: parts, name: name + ".content"))
    case let other?: throw fields.wrong("content", other, "a string or an array of text parts")
    }
    if let calls = try fields.array("tool_calls") {
      message["tool_calls"] = .array(calls.map(withParsedArguments))
    }
    return message
  }

  /// The text of content given in parts, joined as vLLM joins it.
  private static func text(of parts: [JSONValue], name: String) throws(APIError) -> String {
    var texts: [String] = []
    for (index, part) in parts.enumerated() {
      guard part["type"]?.string == "text", let text = part["text"]?.string else {
        let type = part["type"]?.string.map { "of type '\($0)'" } ?? "without a type"
        throw .badRequest(
          "\(name)[\(index)] is a part \(type); expected {\"type\": \"text\", \"text\": …}: the model reads text only",
          parameter: "\(name)[\(index)]")
      }
      texts.append(text)
    }
    return texts.joined(separator: "\n")
  }

  /// A call whose arguments, which the API carries as text, are the object that templates expect.
  private static func withParsedArguments(_ call: JSONValue) -> JSONValue {
    guard case .object(var object) = call, case .object(var function)? = object["function"],
      let text = function["arguments"]?.string, let arguments = try? JSONValue(parsing: text),
      case .object = arguments
    else { return call }
    function["arguments"] = arguments
    object["function"] = .object(function)
    return .object(object)
  }
}
