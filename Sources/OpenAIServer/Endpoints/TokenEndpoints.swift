internal import Decoding
internal import Hummingbird
internal import Tokenization

/// `/tokenize` and `/detokenize`, as vLLM has them.
struct TokenEndpoints: Sendable {
  let serving: ServingContext

  func tokenize(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let fields = try await serving.body.object(of: request)
    try serving.check(modelNamed: fields.string("model"))
    let tokens: [TokenID]
    if fields.value("messages") != nil {
      let conversation = try ChatPrompt(fields, serving: serving)
      tokens = conversation.tokens(
        of: try conversation.text(tools: fields.array("tools")), tokenizer: serving.tokenizer)
    } else if let prompt = try fields.string("prompt") {
      tokens = serving.tokenizer.encode(prompt, addsSpecialTokens: try fields.bool("add_special_tokens") ?? true)
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
    return .json(.object(answer))
  }

  func detokenize(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let fields = try await serving.body.object(of: request)
    try serving.check(modelNamed: fields.string("model"))
    guard let tokens = try fields.tokens("tokens") else { throw fields.missing("tokens", "an array of token ids") }
    let limit = serving.engine.vocabularySize
    for token in tokens where token < 0 || token >= limit {
      throw APIError.badRequest(
        "tokens holds \(token); the vocabulary has ids 0 to \(limit - 1)", parameter: "tokens")
    }
    return .json(["prompt": .string(serving.tokenizer.decode(tokens))])
  }
}
