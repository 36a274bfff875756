internal import Decoding
internal import Tokenization

/// The body of `/v1/chat/completions`.
struct ChatCompletionRequest {
  var generation: GenerationFields
  /// The text that the chat template made of the conversation.
  let promptText: String
  /// Token ids of that text.
  let prompt: [TokenID]
  /// Functions that the model may call.
  let tools: [JSONValue]?

  init(_ fields: JSONFields, serving: ServingContext) throws(APIError) {
    generation = try GenerationFields(fields, serving: serving)
    tools = try Self.tools(fields)
    promptText = try ChatPrompt(fields, serving: serving).text(tools: tools)
    prompt = serving.tokenizer.encode(promptText)
    let limits = [
      try fields.integer("max_completion_tokens", in: 1 ... .max), try fields.integer("max_tokens", in: 1 ... .max),
    ]
    generation.request.stopping.maximumTokens = limits.lazy.compactMap { $0 }.first ?? .max
    let range = 0...GenerationRequest.maximumLogprobCount
    let topCount = try fields.integer("top_logprobs", in: range)
    let wantsLogprobs = try fields.bool("logprobs") ?? false
    if topCount != nil, !wantsLogprobs {
      throw .badRequest("top_logprobs is set and logprobs is not; expected logprobs: true", parameter: "top_logprobs")
    }
    if wantsLogprobs { generation.request.logprobCount = topCount ?? 0 }
    try Self.checkFormat(fields)
  }

  /// The functions that the model is told about.
  private static func tools(_ fields: JSONFields) throws(APIError) -> [JSONValue]? {
    guard let tools = try fields.array("tools"), !tools.isEmpty else { return nil }
    for (index, tool) in tools.enumerated() {
      guard case .object(let object) = tool, case .object(let function)? = object["function"],
        function["name"]?.string != nil
      else {
        throw .badRequest(
          "tools[\(index)] is not {\"type\": \"function\", \"function\": {\"name\": …}}", parameter: "tools[\(index)]")
      }
    }
    switch fields.value("tool_choice") {
    case nil, .string("auto"): return tools
    case .string("none"): return nil
    case let other?: throw fields.wrong("tool_choice", other, "\"auto\" or \"none\"")
    }
  }

  private static func checkFormat(_ fields: JSONFields) throws(APIError) {
    guard let format = try fields.fields("response_format") else { return }
    guard let type = try format.string("type") else { throw format.missing("type", "\"text\"") }
    guard type == "text" else { throw format.wrong("type", .string(type), "\"text\"") }
  }
}
