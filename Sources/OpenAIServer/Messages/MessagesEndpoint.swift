internal import Hummingbird
internal import JSON
internal import Tokenization

/// `/v1/messages`: Anthropic's Messages API.
struct MessagesEndpoint: Sendable {
  let serving: ServingContext

  func create(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let body = try await serving.body.bytes(of: request)
    let chat = try await serving.work.run(for: context, steps: ServingContext.readingSteps) { [serving] budget in
      try MessagesRequest(BodyReader.object(in: body), serving: serving, budget: budget).chat
    }
    let format = MessagesFormat(chat: chat, serving: serving, context: context)
    return try await APIError.renaming(MessagesRequest.names) {
      try await AnswerJob.answer(chat, format: format, warnings: chat.warnings, serving: serving, context: context)
    }
  }

  func countTokens(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let body = try await serving.body.bytes(of: request)
    let count = try await serving.work.run(for: context, steps: ServingContext.readingSteps) { [serving] budget in
      try MessagesRequest.inputTokens(BodyReader.object(in: body), serving: serving, budget: budget)
    }
    return .json(["input_tokens": .integer(count)])
  }
}
