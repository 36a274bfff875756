internal import Decoding
internal import JSON
internal import Tokenization

/// The body of `/v1/responses`.
struct ResponsesRequest: Sendable {
  /// The response's.
  let id: String
  let chat: ChatCompletionRequest
  /// Fields that the response repeats.
  let repeated: JSONObject
  /// The conversation, which the response is kept with; `nil` when it is not to be kept.
  let keptInput: [UInt8]?
  /// What of the request its answer cannot show that it was not heeded.
  let warnings: [String]

  static let names: [(chat: String, own: String)] = [
    ("messages", "input"), ("prompt", "input"), ("max_completion_tokens", "max_output_tokens"),
    ("response_format/json_schema/schema", "text/format/schema"), ("response_format", "text.format"),
    ("function/parameters", "parameters"), ("reasoning_effort", "reasoning.effort"), ("verbosity", "text.verbosity"),
  ]

  /// Fields that are not those of a chat, or that mean something else there.
  private static let own: Set = [
    "input", "instructions", "previous_response_id", "store", "tools", "tool_choice", "text", "reasoning",
    "max_output_tokens", "include", "metadata", "truncation", "top_logprobs", "stream_options", "background",
    "conversation", "prompt", "context_management", "moderation", "max_tool_calls",
  ]

  init(_ fields: JSONFields, serving: ServingContext, budget: WorkBudget) throws(APIError) {
    let hex = ServerRequestContext.randomID()
    id = "resp_" + hex
    var (input, translation) = try Self.read(fields, suffix: hex, serving: serving)
    let truncates = try Self.truncates(fields)
    if truncates {
      try Self.truncate(&input, &translation, serving: serving, budget: budget)
    }
    let stores = try fields.bool("store") ?? true
    let include = try Self.include(fields)
    let topCount = try fields.integer("top_logprobs", in: 0...GenerationRequest.maximumLogprobCount)
    if include.contains("message.output_text.logprobs") || topCount ?? 0 > 0 {
      translation.fields["logprobs"] = true
      translation.fields["top_logprobs"] = topCount.map(JSONValue.integer)
    }
    translation.fields["max_completion_tokens"] =
      try fields.integer("max_output_tokens", in: 1 ... .max).map(JSONValue.integer)
    chat = try translation.request(serving: serving, budget: budget)
    keptInput = stores ? Array(JSONValue.array(input.items).serialized().utf8) : nil
    var warnings = chat.warnings
    if try Self.summary(fields) != nil, chat.mayThink {
      warnings.append("reasoning.summary: the thought is given in full instead")
    }
    self.warnings = warnings
    repeated = try Self.repeated(fields, chat: chat, stores: stores, truncates: truncates)
  }

  /// The number of tokens of what a body asks to be answered.
  static func inputTokens(
    _ fields: JSONFields, serving: ServingContext, budget: WorkBudget
  ) throws(APIError) -> Int {
    try read(fields, suffix: "", serving: serving).translation.promptTokens(serving: serving, budget: budget)
  }

  /// The conversation, and the request as one for a chat.
  private static func read(
    _ fields: JSONFields, suffix: String, serving: ServingContext
  ) throws(APIError) -> (input: ResponseInput, translation: ChatTranslation) {
    try UnsupportedFields.refuseInResponses(fields)
    var input = ResponseInput(suffix: suffix)
    if let id = try fields.string("previous_response_id") {
      try input.add(kept: serving.responses.conversation(of: id))
    } else if fields.value("input") == nil {
      throw fields.missing("input", "a string or an array of items")
    }
    try input.add(fields)
    guard !input.items.isEmpty else { throw fields.wrong("input", [], "at least one item") }
    if let instructions = try fields.string("instructions") { input.add(instructions: instructions) }

    var chat = JSONObject()
    for (key, value) in fields.object.pairs where !own.contains(key) { chat[key] = value }
    chat["messages"] = .array(input.messages)
    chat["tools"] = try tools(fields).map(JSONValue.array)
    chat["tool_choice"] = try toolChoice(fields)
    if let text = try fields.fields("text") {
      chat["response_format"] = try responseFormat(text)
      chat["verbosity"] = text.value("verbosity")
    }
    if let reasoning = try fields.fields("reasoning") {
      chat["reasoning_effort"] = try reasoning.string("effort").map(JSONValue.string)
      if let mode = reasoning.value("mode"), mode != "standard" {
        throw reasoning.wrong("mode", mode, "\"standard\": the model thinks in one way")
      }
    }
    return (input, ChatTranslation(fields: chat, names: names))
  }

  /// Leaves out messages at the beginning of a conversation that is too long for the context, as few as possible.
  private static func truncate(
    _ input: inout ResponseInput, _ translation: inout ChatTranslation, serving: ServingContext, budget: WorkBudget
  ) throws(APIError) {
    func fits(_ translation: ChatTranslation) throws(APIError) -> Bool {
      try translation.promptTokens(serving: serving, budget: budget) < serving.engine.maximumLength
    }
    func without(_ count: Int) -> ChatTranslation {
      var (shorter, translation) = (input, translation)
      shorter.drop(messages: count)
      translation.fields["messages"] = .array(shorter.messages)
      return translation
    }
    guard try !fits(translation) else { return }
    let counts = input.droppableCounts
    var (low, high) = (0, counts.count - 1)
    while low < high {
      let middle = low + (high - low) / 2
      if try fits(without(counts[middle])) { high = middle } else { low = middle + 1 }
    }
    if counts.indices.contains(low) { translation = without(counts[low]) }
  }

  // MARK: Fields

  private static func truncates(_ fields: JSONFields) throws(APIError) -> Bool {
    switch try fields.string("truncation") {
    case nil, "disabled": return false
    case "auto": return true
    case let other?: throw fields.wrong("truncation", .string(other), "\"auto\" or \"disabled\"")
    }
  }

  /// What may be named in `include`; most of it belongs to tools that there are none of here.
  private static let includable: Set = [
    "message.output_text.logprobs", "reasoning.encrypted_content", "file_search_call.results",
    "web_search_call.results", "web_search_call.action.sources", "message.input_image.image_url",
    "computer_call_output.output.image_url", "code_interpreter_call.outputs",
  ]

  private static func include(_ fields: JSONFields) throws(APIError) -> Set<String> {
    var names: Set<String> = []
    for value in try fields.array("include") ?? [] {
      guard let name = value.string, includable.contains(name) else {
        throw fields.wrong("include", value, "\"message.output_text.logprobs\" or \"reasoning.encrypted_content\"")
      }
      names.insert(name)
    }
    return names
  }

  private static func summary(_ fields: JSONFields) throws(APIError) -> String? {
    guard let reasoning = try fields.fields("reasoning") else { return nil }
    let older = try reasoning.string("generate_summary")
    return try reasoning.string("summary") ?? older
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
      guard object["type"] == "function" else {
        let found = object["type"].map { JSONFields.shown($0) } ?? "missing"
        throw .badRequest(
          "\(path).type is \(found); expected \"function\": this server runs no tools of its own",
          parameter: path + ".type", reason: "a tool of another type")
      }
      guard object["name"]?.string != nil else {
        throw .badRequest("\(path).name is missing; expected the function's name", parameter: path + ".name")
      }
      var function = JSONObject()
      for (key, value) in object.pairs where key != "type" && value != .null { function[key] = value }
      functions.append(["type": "function", "function": .object(function)])
    }
    return functions
  }

  private static func toolChoice(_ fields: JSONFields) throws(APIError) -> JSONValue? {
    guard let choice = fields.value("tool_choice"), case .object(let object) = choice else {
      return fields.value("tool_choice")
    }
    guard object["type"] == "function" || object["type"] == "allowed_tools" else {
      throw fields.wrong(
        "tool_choice", object["type"] ?? choice, "\"auto\", \"none\", \"required\", a function or allowed_tools")
    }
    return choice
  }

  private static func responseFormat(_ text: JSONFields) throws(APIError) -> JSONValue? {
    guard let format = try text.fields("format") else { return nil }
    switch try format.string("type") {
    case "text": return nil
    case "json_object": return ["type": "json_object"]
    case "json_schema":
      guard try format.fields("schema") != nil else { throw format.missing("schema", "a JSON schema") }
      return ["type": "json_schema", "json_schema": .object(format.object)]
    default:
      throw format.wrong(
        "type", format.value("type") ?? .null, "\"text\", \"json_object\" or \"json_schema\"")
    }
  }

  /// Most entries of `metadata`, and most characters of a value, as in OpenAI's API.
  private static let (mostMetadata, longestMetadata) = (16, 512)

  private static func metadata(_ fields: JSONFields) throws(APIError) -> JSONValue {
    guard let metadata = try fields.fields("metadata") else { return .object(JSONObject()) }
    guard metadata.object.count <= mostMetadata else {
      throw .badRequest(
        "metadata has \(metadata.object.count) entries; expected at most \(mostMetadata)", parameter: "metadata")
    }
    for (key, value) in metadata.object.pairs {
      guard let text = value.string, text.count <= longestMetadata else {
        throw metadata.wrong(key, value, "a string of at most \(longestMetadata) characters")
      }
    }
    return .object(metadata.object)
  }

  /// The fields that a response has from its request.
  private static func repeated(
    _ fields: JSONFields, chat: ChatCompletionRequest, stores: Bool, truncates: Bool
  ) throws(APIError) -> JSONObject {
    let sampling = chat.generation.request.sampling
    let (text, reasoning) = (try fields.fields("text"), try fields.fields("reasoning"))
    var repeated = JSONObject()
    for key in ["instructions", "max_output_tokens", "max_tool_calls", "previous_response_id"] {
      repeated[key] = fields.value(key) ?? .null
    }
    repeated["background"] = false
    repeated["store"] = .bool(stores)
    repeated["metadata"] = try metadata(fields)
    repeated["parallel_tool_calls"] = .bool(try fields.bool("parallel_tool_calls") ?? true)
    repeated["reasoning"] = [
      "effort": reasoning?.value("effort") ?? .null, "summary": reasoning?.value("summary") ?? .null,
    ]
    repeated["service_tier"] = "default"
    repeated["temperature"] = .number(sampling.temperature)
    repeated["top_p"] = .number(sampling.topP)
    repeated["text"] = ["format": text?.value("format") ?? ["type": "text"]]
    repeated["tool_choice"] = fields.value("tool_choice") ?? "auto"
    repeated["tools"] = .array((try fields.array("tools") ?? []).map(withAllFields))
    repeated["top_logprobs"] = fields.value("top_logprobs") ?? 0
    repeated["truncation"] = truncates ? "auto" : "disabled"
    for key in ["user", "safety_identifier", "prompt_cache_key"] { repeated[key] = fields.value(key) }
    return repeated
  }

  /// A function with the fields that responses always have.
  private static func withAllFields(_ tool: JSONValue) -> JSONValue {
    var tool = tool.object ?? JSONObject()
    for key in ["parameters", "strict"] where tool[key] == nil { tool[key] = .null }
    return .object(tool)
  }
}
