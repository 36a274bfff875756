internal import ChatTemplates
internal import Decoding
internal import Hummingbird
internal import Inference
internal import JSON
internal import ModelFiles
internal import Tokenization

/// llama.cpp's own endpoints: `/completion`, `/props`, `/slots`, `/apply-template`.
struct LlamaEndpoints: Sendable {
  let serving: ServingContext

  func complete(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let body = try await serving.body.bytes(of: request)
    let wish = try await serving.work.run(for: context, steps: ServingContext.readingSteps) { [serving] budget in
      try LlamaCompletionRequest(BodyReader.object(in: body), serving: serving, budget: budget)
    }
    let generation = wish.completion.generation
    let format = LlamaCompletionFormat(
      request: wish, names: TokenNames(tokenizer: serving.tokenizer), modelName: serving.modelName,
      endOfText: generation.request.stopping.endOfTextTokens,
      settings: LlamaSettings.settings(of: generation.request, streams: generation.streams, serving: serving),
      contextLength: serving.engine.maximumLength)
    let job = try AnswerJob(
      generation.requests(for: wish.completion.prompts),
      promptTokens: wish.completion.prompts.reduce(0) { $0 + $1.count }, format: format, serving: serving,
      context: context)
    return generation.streams ? try job.eventStream(generation) : try await job.response()
  }

  /// The conversation's prompt as text.
  func applyTemplate(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let body = try await serving.body.bytes(of: request)
    return try await serving.work.run(for: context, steps: ServingContext.readingSteps) { [serving] budget in
      let fields = try BodyReader.object(in: body)
      try serving.check(modelNamed: fields.string("model"))
      let tools = try fields.array("tools").flatMap { $0.isEmpty ? nil : $0 }
      let conversation = try ChatPrompt(fields, hasTools: tools != nil, serving: serving)
      return .json(["prompt": .string(try conversation.text(tools: tools, budget: budget))])
    }
  }

  func properties(_ request: Request, context: ServerRequestContext) -> Response {
    let target = serving.model.target
    let tokenizer = serving.tokenizer
    let served = try? serving.templates.template(named: nil, hasTools: false)
    return .json([
      "default_generation_settings": [
        "n_ctx": .integer(serving.engine.maximumLength),
        "params": .object(
          LlamaSettings.settings(of: defaults, streams: false, serving: serving)),
      ],
      "total_slots": .integer(serving.configuration.concurrentRequests),
      "model_alias": .string(serving.modelName), "model_path": .string(target.path),
      "chat_template": .string(serving.configuration.chatTemplate ?? tokenizer.chatTemplate ?? ""),
      "chat_template_caps": [
        "supports_tools": .bool(served?.traits.writesTools ?? false),
        "supports_tool_calls": .bool(served?.toolCallFormat != nil),
      ],
      "bos_token": .string(tokenizer.beginOfTextToken ?? ""), "eos_token": .string(tokenizer.endOfTextToken ?? ""),
      "modalities": ["vision": false, "audio": false],
      "build_info": .string("foretoken-" + serving.configuration.version), "is_sleeping": false,
    ])
  }

  /// What a request has that says nothing but its prompt.
  private var defaults: GenerationRequest {
    var request = GenerationRequest(prompt: [])
    let own = try? GenerationFields.sampling(JSONFields(JSONObject()), defaults: serving.model.target.generation)
    request.sampling = own ?? SamplingParameters()
    // llama.cpp's number for a random one.
    request.sampling.seed = UInt64(UInt32.max)
    return request
  }

  /// Places for requests, of which as many are busy as requests are computed.
  func slots(_ request: Request, context: ServerRequestContext) -> Response {
    let running = serving.engine.statistics.running
    return .json(
      .array(
        (0..<serving.configuration.concurrentRequests).map { slot in
          [
            "id": .integer(slot), "n_ctx": .integer(serving.engine.maximumLength),
            "speculative": .bool(serving.model.window > 0), "is_processing": .bool(slot < running),
          ]
        }))
  }
}
