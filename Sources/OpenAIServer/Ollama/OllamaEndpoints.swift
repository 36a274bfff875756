internal import Decoding
internal import Hummingbird
internal import JSON
internal import Tokenization

/// `/api/chat` and `/api/generate`, for tools that speak Ollama's API only.
///
/// Requests are put into the words of OpenAI's API and answered as those are; what is said here is how the answers look.
///
/// https://github.com/ollama/ollama/blob/main/docs/api.md
struct OllamaEndpoints: Sendable {
  let serving: ServingContext

  /// What a request comes to.
  private enum Wish: Sendable {
    case chat(ChatCompletionRequest, OllamaFormat.Place, modelName: String)
    case text(CompletionRequest, modelName: String)
    /// Nothing but that the model is there.
    case loading(OllamaFormat.Place, modelName: String)
  }

  func chat(_ request: Request, context: ServerRequestContext) async throws -> Response {
    try await answer(request, context: context, chatWish)
  }

  func generate(_ request: Request, context: ServerRequestContext) async throws -> Response {
    try await answer(request, context: context, generateWish)
  }

  private func chatWish(_ request: JSONFields, _ budget: WorkBudget) throws(APIError) -> Wish {
    var fields = try OllamaFields(request, serving: serving)
    if fields.isEmpty("messages") { return .loading(.message, modelName: fields.modelName) }
    try fields.addGeneration(limit: "max_tokens")
    fields.set("messages", to: .array(try OllamaConversation(chat: request).messages))
    fields.set("tools", to: request.value("tools"))
    return .chat(try chat(fields, budget), .message, modelName: fields.modelName)
  }

  private func generateWish(_ request: JSONFields, _ budget: WorkBudget) throws(APIError) -> Wish {
    var fields = try OllamaFields(request, serving: serving)
    if fields.isEmpty("prompt") { return .loading(.response, modelName: fields.modelName) }
    try OllamaFields.refuseImages(request)
    try fields.refuse("suffix", "expected nothing: the model only continues a text")
    try fields.refuse("template", "expected the server to be started with --chat-template, or raw with a whole prompt")
    try fields.refuse("context", "expected the conversation as messages of /api/chat")
    try fields.addGeneration(limit: "max_tokens")
    if try request.bool("raw") ?? false {
      fields.set("prompt", to: try request.string("prompt").map(JSONValue.string))
      if fields.translated["max_tokens"] == nil { fields.set("max_tokens", to: .integer(.max)) }
      // Of a plain completion the alternatives' count is what asks for log-probabilities.
      if fields.translated["logprobs"] != nil {
        fields.set("logprobs", to: .integer(try request.integer("top_logprobs") ?? 0))
      }
      let text = try APIError.renaming(OllamaFields.names) { () throws(APIError) in
        try CompletionRequest(JSONFields(fields.translated), serving: serving, budget: budget)
      }
      return .text(text, modelName: fields.modelName)
    }
    fields.set("messages", to: .array(try OllamaConversation(generate: request).messages))
    return .chat(try chat(fields, budget), .response, modelName: fields.modelName)
  }

  private func chat(_ fields: OllamaFields, _ budget: WorkBudget) throws(APIError) -> ChatCompletionRequest {
    try APIError.renaming(OllamaFields.names) { () throws(APIError) in
      try ChatCompletionRequest(JSONFields(fields.translated), serving: serving, budget: budget)
    }
  }

  private func answer(
    _ request: Request, context: ServerRequestContext,
    _ read: @escaping @Sendable (JSONFields, WorkBudget) throws(APIError) -> Wish
  ) async throws -> Response {
    let body = try await serving.body.bytes(of: request)
    let wish = try await serving.work.run(for: context, steps: ServingContext.readingSteps) { budget in
      try read(BodyReader.object(in: body), budget)
    }
    switch wish {
    case .loading(let place, let modelName): return .json(OllamaFormat.loaded(place, modelName: modelName))
    case .chat(let chat, let place, let modelName):
      var response = try await answer(
        chat.generation, [chat.prompt],
        OllamaFormat(
          place: place, modelName: modelName, names: TokenNames(tokenizer: serving.tokenizer),
          wantsLogprobs: chat.generation.request.logprobCount != nil, parser: chat.parser), context)
      if !chat.warnings.isEmpty { response.headers[.warnings] = chat.warnings.joined(separator: "; ") }
      return response
    case .text(let text, let modelName):
      return try await answer(
        text.generation, text.prompts,
        OllamaFormat(
          place: .response, modelName: modelName, names: TokenNames(tokenizer: serving.tokenizer),
          wantsLogprobs: text.generation.request.logprobCount != nil,
          parser: ModelAnswerParser(thoughts: nil, calls: nil)), context)
    }
  }

  private func answer(
    _ generation: GenerationFields, _ prompts: [[TokenID]], _ format: OllamaFormat, _ context: ServerRequestContext
  ) async throws -> Response {
    let job = try AnswerJob(
      generation.requests(for: prompts), promptTokens: prompts.reduce(0) { $0 + $1.count }, format: format,
      serving: serving, context: context)
    return generation.streams ? try job.eventStream(generation) : try await job.response()
  }
}
