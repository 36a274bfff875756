internal import Decoding
internal import Hummingbird
internal import Inference
internal import JSON
internal import Logging
internal import Tokenization

/// Prompts of one request of which something else is wanted than how they go on.
struct PooledPrompts: Sendable {
  let prompts: [[TokenID]]
  let pooling: Pooling
  /// How urgent they are.
  let priority: Int

  /// Most texts in one request, as in OpenAI's API.
  static let most = 2048

  /// Tokens of all prompts.
  var tokenCount: Int { prompts.reduce(0) { $0 + $1.count } }

  /// What each prompt comes to, in their order.
  ///
  /// Prompts beyond those that are computed at a time wait here, and take no place in the queue.
  ///
  /// - Throws: 429 when too many wait, 400 for a prompt that the model cannot read.
  func vectors(serving: ServingContext, context: ServerRequestContext) async throws -> [[Float]] {
    let requests = prompts.map { prompt in
      var request = GenerationRequest(prompt: prompt)
      request.pooling = pooling
      request.priority = priority
      return request
    }
    let limit = min(prompts.count, serving.configuration.concurrentRequests)
    let ticket = try serving.gate.admit(limit)
    defer { withExtendedLifetime(ticket) {} }
    let started = ContinuousClock.now
    let seconds: @Sendable () -> Double = { (ContinuousClock.now - started) / .seconds(1) }
    let log = { (cause: String) in
      context.logger.notice(
        "cancelled",
        metadata: ["prompt_tokens": "\(tokenCount)", "cause": "\(cause)", "seconds": "\(seconds())"])
    }
    let engine = serving.engine
    let metrics = serving.metrics
    let vectors = try await serving.whileAwaited(context, log) {
      var vectors = [[Float]](repeating: [], count: requests.count)
      do {
        try await engine.generate(requests, atATime: limit) { index, stream in
          for await event in stream {
            guard case .finished(let summary) = event else { continue }
            metrics.observe(summary)
            if case .failed(let reason) = summary.reason { throw APIError.engineFailed(reason) }
            guard summary.reason == .pooled else { break }
            // JSON has no other numbers.
            guard summary.pooled.allSatisfy(\.isFinite) else {
              throw APIError.engineFailed("the model's numbers are not finite")
            }
            return (index, summary.pooled)
          }
          metrics.observeAbort()
          throw CancellationError()
        } receive: { answer in
          vectors[answer.0] = answer.1
        }
      } catch let error as RequestError {
        throw APIError(error)
      }
      return vectors
    }
    context.logger.info(
      "pooled", metadata: ["prompts": "\(prompts.count)", "prompt_tokens": "\(tokenCount)", "seconds": "\(seconds())"])
    return vectors
  }
}

extension ServingContext {
  /// Refuses what the served model is not loaded for.
  func check(canDo task: ModelTask) throws(APIError) {
    let served = model.target.task
    guard served != task else { return }
    let wish =
      switch task {
      case .generate: "generates nothing"
      case .embed: "makes no embeddings"
      case .rerank: "reranks nothing"
      }
    let place =
      switch served {
      case .generate:
        "a model that was made for it (such as Qwen3-\(task == .embed ? "Embedding" : "Reranker")), or the server to be started with --task \(task.rawValue)"
      case .embed: "/v1/embeddings"
      case .rerank: "/v1/rerank or /v1/score"
      }
    throw .badRequest(
      "the model '\(modelName)' is served to \(served.rawValue) and \(wish); expected \(place)", parameter: "model",
      code: "task_not_supported")
  }
}
