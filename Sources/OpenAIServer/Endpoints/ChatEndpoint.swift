internal import Decoding
internal import Hummingbird

/// `/v1/chat/completions`.
struct ChatEndpoint: Sendable {
  let serving: ServingContext

  func handle(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let chat = try ChatCompletionRequest(try await serving.body.object(of: request), serving: serving)
    let generation = chat.generation
    let format = ChatFormat(
      names: TokenNames(tokenizer: serving.tokenizer), extras: generation.extras,
      endOfText: generation.request.stopping.endOfTextTokens,
      wantsLogprobs: generation.request.logprobCount != nil,
      parser: chat.parser)
    let job = try AnswerJob(
      generation.requests(for: [chat.prompt]), promptTokens: chat.prompt.count, format: format, serving: serving,
      context: context)
    return generation.streams
      ? try job.eventStream(includesUsage: generation.includesUsage) : try await job.response()
  }
}
