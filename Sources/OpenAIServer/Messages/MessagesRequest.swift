internal import ChatTemplates
internal import JSON
internal import Tokenization

/// The body of `/v1/messages`.
struct MessagesRequest: Sendable {
  let chat: ChatCompletionRequest

  static let names: [(chat: String, own: String)] = [
    ("max_completion_tokens", "max_tokens"),
    ("response_format/json_schema/schema", "output_config/format/schema"), ("response_format", "output_config.format"),
    ("function/parameters", "input_schema"), ("reasoning_effort", "output_config.effort"), ("stop", "stop_sequences"),
    ("parallel_tool_calls", "tool_choice.disable_parallel_tool_use"),
  ]

  /// Fields that are not those of a chat, or that mean something else there.
  private static let own: Set = [
    "messages", "system", "max_tokens", "stop_sequences", "thinking", "output_config", "tools", "tool_choice",
    "metadata", "container", "mcp_servers", "context_management",
  ]

  init(_ fields: JSONFields, serving: ServingContext, budget: WorkBudget) throws(APIError) {
    var translation = try Self.translation(fields)
    guard let limit = try fields.integer("max_tokens", in: 1 ... .max) else {
      throw fields.missing("max_tokens", "a whole number from 1 up")
    }
    translation.fields["max_completion_tokens"] = .integer(limit)
    translation.fields["stop"] = try fields.strings("stop_sequences").map { .array($0.map(JSONValue.string)) }
    chat = try translation.request(serving: serving, budget: budget)
  }

  /// The number of tokens of what a body asks to be answered.
  static func inputTokens(
    _ fields: JSONFields, serving: ServingContext, budget: WorkBudget
  ) throws(APIError) -> Int {
    try translation(fields).promptTokens(serving: serving, budget: budget)
  }

  /// The request as one for a chat, but for where its answer ends.
  private static func translation(_ fields: JSONFields) throws(APIError) -> ChatTranslation {
    try UnsupportedFields.refuseInMessages(fields)
    let input = try MessagesInput(fields)
    var chat = JSONObject()
    for (key, value) in fields.object.pairs where !own.contains(key) { chat[key] = value }
    chat["messages"] = .array(input.messages)
    if input.continuesLast { chat["continue_final_message"] = true }
    chat["tools"] = try tools(fields).map(JSONValue.array)
    if let choice = try fields.fields("tool_choice") {
      chat["tool_choice"] = try toolChoice(choice)
      if try choice.bool("disable_parallel_tool_use") ?? false { chat["parallel_tool_calls"] = false }
    }
    if let output = try fields.fields("output_config") {
      chat["reasoning_effort"] = try output.string("effort").map(JSONValue.string)
      chat["response_format"] = try format(output)
    }
    if let thinking = try fields.fields("thinking") { try read(thinking, into: &chat) }
    return ChatTranslation(fields: chat, names: names)
  }

  /// Functions in the form that chats have them.
  private static func tools(_ fields: JSONFields) throws(APIError) -> [JSONValue]? {
    guard let tools = try fields.array("tools") else { return nil }
    var functions: [JSONValue] = []
    for (index, tool) in tools.enumerated() {
      let path = "tools[\(index)]"
      guard case .object(let object) = tool else {
        throw .badRequest("\(path) is \(JSONFields.shown(tool)); expected an object", parameter: path)
      }
      let tool = JSONFields(object, path: path + ".")
      if let type = tool.value("type"), type != "custom" {
        throw tool.wrong("type", type, "\"custom\": this server runs no tools of its own")
      }
      guard let name = try tool.string("name") else { throw tool.missing("name", "the tool's name") }
      guard let schema = try tool.fields("input_schema") else { throw tool.missing("input_schema", "a JSON schema") }
      var function = JSONObject([("name", .string(name))])
      function["description"] = try tool.string("description").map(JSONValue.string)
      function["parameters"] = .object(schema.object)
      function["strict"] = try tool.bool("strict").map(JSONValue.bool)
      functions.append(["type": "function", "function": .object(function)])
    }
    return functions
  }

  private static func toolChoice(_ choice: JSONFields) throws(APIError) -> JSONValue {
    switch try choice.string("type") {
    case "auto": return "auto"
    case "any": return "required"
    case "none": return "none"
    case "tool":
      guard let name = try choice.string("name") else { throw choice.missing("name", "the tool's name") }
      return ["type": "function", "function": ["name": .string(name)]]
    default:
      throw choice.wrong(
        "type", choice.value("type") ?? .null, "\"auto\", \"any\", \"tool\" or \"none\"")
    }
  }

  private static func format(_ output: JSONFields) throws(APIError) -> JSONValue? {
    guard let format = try output.fields("format") else { return nil }
    guard try format.string("type") == "json_schema" else {
      throw format.wrong("type", format.value("type") ?? .null, "\"json_schema\"")
    }
    guard let schema = try format.fields("schema") else { throw format.missing("schema", "a JSON schema") }
    return ["type": "json_schema", "json_schema": ["schema": .object(schema.object)]]
  }

  /// Switches thinking on or off, where the chat template can do that.
  private static func read(_ thinking: JSONFields, into chat: inout JSONObject) throws(APIError) {
    switch try thinking.string("type") {
    case "enabled":
      _ = try thinking.integer("budget_tokens", in: 1 ... .max)
      var variables = try JSONFields(chat).fields("chat_template_kwargs")?.object ?? JSONObject()
      for name in ChatTemplateTraits.thinkingVariables where variables[name] == nil { variables[name] = true }
      chat["chat_template_kwargs"] = .object(variables)
    case "disabled": chat["reasoning_effort"] = "none"
    case "adaptive": break
    default:
      throw thinking.wrong(
        "type", thinking.value("type") ?? .null, "\"enabled\", \"disabled\" or \"adaptive\"")
    }
    switch try thinking.string("display") {
    case nil, "summarized": break
    case "omitted": chat["include_reasoning"] = false
    case let other?: throw thinking.wrong("display", .string(other), "\"summarized\" or \"omitted\"")
    }
  }
}
