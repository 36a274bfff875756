internal import Hummingbird

/// `/invocations` of SageMaker's container contract: one path for chats and completions, told apart by their fields.
///
/// https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
struct InvocationEndpoint: Sendable {
  let serving: ServingContext

  func handle(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let body = try await serving.body.bytes(of: request)
    let isChat = try await serving.work.run(for: context, steps: ServingContext.readingSteps) { _ in
      let fields = try BodyReader.object(in: body)
      switch (fields.value("messages") != nil, fields.value("prompt") != nil) {
      case (true, false): return true
      case (false, true): return false
      case (true, true):
        throw APIError.badRequest(
          "the body has both 'messages' and 'prompt'; expected one: a chat or a completion", parameter: nil)
      case (false, false):
        throw APIError.badRequest(
          "the body has neither 'messages' nor 'prompt'; expected a chat or a completion, as at /v1", parameter: nil)
      }
    }
    return isChat
      ? try await ChatEndpoint(serving: serving).handle(body, context: context)
      : try await CompletionEndpoint(serving: serving).handle(body, context: context)
  }
}
