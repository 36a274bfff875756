internal import Hummingbird
internal import JSON

/// `/v1/rerank`, in the shape that Jina, Cohere and vLLM share.
struct RerankEndpoint: Sendable {
  let serving: ServingContext

  /// A body that was read.
  private struct Wish: Sendable {
    let prompts: PooledPrompts
    let documents: [String]
    /// Results that are wanted.
    let count: Int
    let returnsDocuments: Bool
  }

  func handle(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let body = try await serving.body.bytes(of: request)
    let wish = try await serving.work.run(for: context, steps: ServingContext.readingSteps) { [serving] budget in
      let fields = try BodyReader.object(in: body)
      let prompt = try RelevancePrompt(fields, serving: serving, budget: budget)
      guard let query = try fields.string("query") else { throw fields.missing("query", "a string") }
      let documents = try Self.documents(fields)
      return Wish(
        prompts: try prompt.prompts(documents.map { (query, $0) }), documents: documents,
        count: try fields.integer("top_n", in: 0 ... .max).flatMap { $0 == 0 ? nil : $0 } ?? .max,
        returnsDocuments: try fields.bool("return_documents") ?? true)
    }
    let scores = try await wish.prompts.vectors(serving: serving, context: context).map(RelevancePrompt.score)
    // Equal scores stay in the order in which their documents came.
    let order = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }
    let results = order.prefix(wish.count).map { index -> JSONValue in
      var result = JSONObject([("index", .integer(index)), ("relevance_score", .number(scores[index]))])
      if wish.returnsDocuments { result["document"] = ["text": .string(wish.documents[index])] }
      return .object(result)
    }
    return .json([
      "id": .string("rerank-" + context.requestID), "model": .string(serving.modelName),
      "usage": wish.prompts.usage, "results": .array(results),
    ])
  }

  /// Texts, or objects with a text.
  private static func documents(_ fields: JSONFields) throws(APIError) -> [String] {
    let expected = "an array of strings, or of objects with a text"
    guard let values = try fields.array("documents") else { throw fields.missing("documents", expected) }
    guard (1...PooledPrompts.most).contains(values.count) else {
      throw fields.wrong("documents", .array(values), "1 to \(PooledPrompts.most) documents")
    }
    var documents: [String] = []
    for value in values {
      guard let text = value.string ?? value["text"]?.string else { throw fields.wrong("documents", value, expected) }
      documents.append(text)
    }
    return documents
  }
}
