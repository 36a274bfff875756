internal import Decoding
internal import Hummingbird

/// `/v1/completions`.
struct CompletionEndpoint: Sendable {
  let serving: ServingContext

  func handle(_ request: Request, context: ServerRequestContext) async throws -> Response {
    try await handle(try await serving.body.bytes(of: request), context: context)
  }

  /// Answers a body that was read.
  func handle(_ body: ReceivedBody, context: ServerRequestContext) async throws -> Response {
    let completion = try await serving.work.run(for: context, steps: ServingContext.readingSteps) { [serving] budget in
      try CompletionRequest(BodyReader.object(in: body), serving: serving, budget: budget)
    }
    let generation = completion.generation
    let format = CompletionFormat(
      discardsOutput: completion.isEchoOnly,
      names: TokenNames(tokenizer: serving.tokenizer, byID: generation.namesTokensByID),
      extras: generation.extras, endOfText: generation.request.stopping.endOfTextTokens,
      wantsLogprobs: generation.request.logprobCount != nil, echoes: completion.echoes, prompts: completion.prompts,
      count: generation.count, promptScores: PromptScores(generation),
      skipsSpecialTokens: generation.request.skipsSpecialTokens)
    let job = try AnswerJob(
      generation.requests(for: completion.prompts),
      promptTokens: completion.prompts.reduce(0) { $0 + $1.count }, format: format, serving: serving, context: context)
    return generation.streams ? try job.eventStream(generation) : try await job.response()
  }
}
