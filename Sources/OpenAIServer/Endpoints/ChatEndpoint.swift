internal import Decoding
internal import Hummingbird

/// `/v1/chat/completions`.
struct ChatEndpoint: Sendable {
  let serving: ServingContext

  func handle(_ request: Request, context: ServerRequestContext) async throws -> Response {
    try await handle(try await serving.body.bytes(of: request), context: context)
  }

  /// Answers a body that was read.
  func handle(_ body: ReceivedBody, context: ServerRequestContext) async throws -> Response {
    let chat = try await serving.work.run(for: context, steps: ServingContext.readingSteps) { [serving] budget in
      try ChatCompletionRequest(BodyReader.object(in: body), serving: serving, budget: budget)
    }
    let generation = chat.generation
    let format = ChatFormat(
      names: TokenNames(tokenizer: serving.tokenizer, byID: generation.namesTokensByID), extras: generation.extras,
      endOfText: generation.request.stopping.endOfTextTokens,
      wantsLogprobs: generation.request.logprobCount != nil, count: generation.count, prompt: chat.prompt,
      promptScores: PromptScores(generation), parser: chat.parser)
    return try await AnswerJob.answer(
      chat, format: format, warnings: chat.warnings, serving: serving, context: context)
  }
}
