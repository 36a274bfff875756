internal import Hummingbird
internal import JSON

/// `/api/embed`, and the older `/api/embeddings` for one text.
struct OllamaEmbeddingEndpoints: Sendable {
  let serving: ServingContext

  func embed(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let started = ContinuousClock.now
    let (embedding, modelName) = try await read(request, context: context, "input")
    let vectors = try await embedding.prompts.vectors(serving: serving, context: context)
    return .json([
      "model": .string(modelName),
      "embeddings": .array(vectors.map { EmbeddingEndpoint.numbers(embedding.shape.embedding(of: $0)) }),
      "total_duration": OllamaChoice.nanoseconds((ContinuousClock.now - started) / .seconds(1)),
      "load_duration": 0, "prompt_eval_count": .integer(embedding.prompts.tokenCount),
    ])
  }

  func embedOne(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let (embedding, _) = try await read(request, context: context, "prompt")
    let vectors = try await embedding.prompts.vectors(serving: serving, context: context)
    return .json(["embedding": EmbeddingEndpoint.numbers(embedding.shape.embedding(of: vectors.first ?? []))])
  }

  /// - Parameter key: the field with the text or the texts.
  private func read(
    _ request: Request, context: ServerRequestContext, _ key: String
  ) async throws -> (EmbeddingRequest, modelName: String) {
    let body = try await serving.body.bytes(of: request)
    return try await serving.work.run(for: context, steps: ServingContext.readingSteps) { [serving] budget in
      let request = try BodyReader.object(in: body)
      var fields = try OllamaFields(request, serving: serving)
      guard let texts = try request.strings(key) else {
        throw request.missing(key, key == "input" ? "a string or an array of strings" : "a string")
      }
      guard key == "input" || texts.count == 1, !texts.isEmpty else {
        throw request.wrong(key, .array(texts.map { .string($0) }), key == "input" ? "at least one string" : "a string")
      }
      fields.set("input", to: .array(texts.map { .string($0) }))
      fields.set("dimensions", to: request.value("dimensions"))
      if try request.bool("truncate") ?? true { fields.set("truncate_prompt_tokens", to: -1) }
      return (
        // Of a text that is too long Ollama reads the beginning.
        try EmbeddingRequest(
          JSONFields(fields.translated), keepsBeginning: true, serving: serving, budget: budget),
        modelName: fields.modelName
      )
    }
  }
}
