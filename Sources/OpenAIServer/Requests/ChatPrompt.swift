internal import Speculation
internal import Tokenization

/// A conversation, and how to put it into the chat template.
struct ChatPrompt {
  private let messages: [ChatMessage]
  private let addsGenerationPrompt: Bool
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
    self.messages = messages
    addsGenerationPrompt = try fields.bool("add_generation_prompt") ?? true
    var context = serving.model.target.templateContext
    if let more = try fields.fields("chat_template_kwargs") {
      let reserved: Set = ["messages", "tools", "add_generation_prompt"]
      for (key, value) in more.object.pairs where !reserved.contains(key) { context[key] = value }
    }
    self.context = context
  }

  /// The prompt's text.
  func text(tools: [JSONValue]?) throws(APIError) -> String {
    do {
      return try template.render(
        messages: messages, tools: tools, addGenerationPrompt: addsGenerationPrompt, context: context)
    } catch {
      throw .badRequest("\(error)", parameter: "messages")
    }
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
