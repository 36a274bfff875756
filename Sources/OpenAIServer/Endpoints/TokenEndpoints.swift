internal import Decoding
internal import Hummingbird
internal import Tokenization

/// `/tokenize` and `/detokenize`, as vLLM has them.
struct TokenEndpoints: Sendable {
  let serving: ServingContext

  /// Most tokens that a text may come to, where it is longer than the context: it is only counted.
  private static let mostTokens = 1 << 20

  func tokenize(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let body = try await serving.body.bytes(of: request)
    return try await serving.work.run(for: context, steps: ServingContext.readingSteps) { budget in
      try .json(tokens(BodyReader.object(in: body), budget: budget))
    }
  }

  private func tokens(_ fields: JSONFields, budget: WorkBudget) throws -> JSONValue {
    try serving.check(modelNamed: fields.string("model"))
    let tokens: [TokenID]
    if fields.value("messages") != nil {
      let conversation = try ChatPrompt(fields, serving: serving)
      tokens = try conversation.tokens(
        of: conversation.text(tools: fields.array("tools"), budget: budget), serving: serving, budget: budget)
    } else if let prompt = try fields.string("prompt") {
      tokens = try serving.tokens(
        of: prompt, addsSpecialTokens: try fields.bool("add_special_tokens") ?? true,
        mostTokens: max(Self.mostTokens, serving.engine.maximumLength), budget: budget)
    } else {
      throw fields.missing("prompt", "a text, or messages")
    }
    var answer = JSONObject([
      ("count", .integer(tokens.count)), ("max_model_len", .integer(serving.engine.maximumLength)),
      ("tokens", .array(tokens.map { .integer(Int($0)) })), ("token_strs", .null),
    ])
    if try fields.bool("return_token_strs") ?? false {
      answer["token_strs"] = .array(tokens.map { .string(serving.tokenizer.text(of: $0) ?? "") })
    }
    return .object(answer)
  }

  func detokenize(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let body = try await serving.body.bytes(of: request)
    return try await serving.work.run(for: context, steps: ServingContext.readingSteps) { _ in
      try .json(text(BodyReader.object(in: body)))
    }
  }

  private func text(_ fields: JSONFields) throws -> JSONValue {
    try serving.check(modelNamed: fields.string("model"))
    guard let tokens = try fields.tokens("tokens") else { throw fields.missing("tokens", "an array of token ids") }
    let limit = serving.engine.vocabularySize
    for token in tokens where token < 0 || token >= limit {
      throw APIError.badRequest(
        "tokens holds \(token); the vocabulary has ids 0 to \(limit - 1)", parameter: "tokens")
    }
    return ["prompt": .string(serving.tokenizer.decode(tokens))]
  }
}
