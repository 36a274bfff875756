internal import Decoding
internal import Hummingbird
internal import JSON
internal import Tokenization

/// `/tokenize` and `/detokenize`, as vLLM has them, and as llama.cpp does.
struct TokenEndpoints: Sendable {
  let serving: ServingContext

  func tokenize(_ request: Request, context: ServerRequestContext) async throws -> Response {
    let body = try await serving.body.bytes(of: request)
    return try await serving.work.run(for: context, steps: ServingContext.readingSteps) { budget in
      try .json(tokens(BodyReader.object(in: body), budget: budget))
    }
  }

  private func tokens(_ fields: JSONFields, budget: WorkBudget) throws -> JSONValue {
    try serving.check(modelNamed: fields.string("model"))
    // A text that is longer than the context is only counted.
    let most = serving.mostReadTokens
    let tokens: [TokenID]
    if let content = try fields.string("content") {
      // llama.cpp's form, whose defaults are others.
      tokens = try serving.tokens(
        of: content, parsesSpecialTokens: try serving.parsesSpecialTokens(fields),
        addsSpecialTokens: try fields.bool("add_special") ?? false, mostTokens: most, budget: budget)
      guard try fields.bool("with_pieces") ?? false else {
        return ["tokens": .array(tokens.map { .integer(Int($0)) })]
      }
      return ["tokens": .array(tokens.map { ["id": .integer(Int($0)), "piece": piece($0)] })]
    } else if fields.value("messages") != nil {
      let tools = try fields.array("tools").flatMap { $0.isEmpty ? nil : $0 }
      let conversation = try ChatPrompt(fields, hasTools: tools != nil, serving: serving)
      tokens = try conversation.tokens(
        of: conversation.text(tools: tools, budget: budget), mostTokens: most, serving: serving, budget: budget)
    } else if let prompt = try fields.string("prompt") {
      tokens = try serving.tokens(
        of: prompt, parsesSpecialTokens: try serving.parsesSpecialTokens(fields),
        addsSpecialTokens: try fields.bool("add_special_tokens") ?? true, mostTokens: most, budget: budget)
    } else {
      throw fields.missing("prompt", "a string, or messages, or content as llama.cpp has it")
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

  /// A token's text, or its bytes where they are no text.
  private func piece(_ token: TokenID) -> JSONValue {
    guard let bytes = serving.tokenizer.bytes(of: token) else {
      return .string(serving.tokenizer.text(of: token) ?? "")
    }
    return String(validating: bytes, as: UTF8.self).map(JSONValue.string)
      ?? .array(bytes.map { .integer(Int($0)) })
  }

  /// What the tokenizer is like, under the names of `tokenizer_config.json`.
  func information(_ request: Request, context: ServerRequestContext) async throws -> Response {
    try await serving.work.run(for: context) { _ in .json(information()) }
  }

  private func information() -> JSONValue {
    let tokenizer = serving.tokenizer
    func named(_ token: String?) -> JSONValue { token.map(JSONValue.string) ?? .null }
    var facts = JSONObject([
      ("tokenizer_class", "PreTrainedTokenizerFast"), ("model_max_length", .integer(serving.engine.maximumLength)),
      ("vocab_size", .integer(tokenizer.vocabularySize)), ("bos_token", named(tokenizer.beginOfTextToken)),
      ("eos_token", named(tokenizer.endOfTextToken)),
    ])
    let templates = serving.configuration.chatTemplate.map { ["default": $0] } ?? tokenizer.chatTemplates
    facts["chat_template"] =
      templates.count > 1
      ? .array(templates.sorted { $0.key < $1.key }.map { ["name": .string($0.key), "template": .string($0.value)] })
      : named(templates.values.first)
    let special = (TokenID(0)..<TokenID(tokenizer.vocabularySize)).filter { tokenizer.isSpecial($0) }
    facts["added_tokens_decoder"] = .object(
      JSONObject(
        special.map { ("\($0)", ["content": .string(tokenizer.text(of: $0) ?? ""), "special": true]) }))
    return .object(facts)
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
    let text = JSONValue.string(serving.tokenizer.decode(tokens))
    // Under llama.cpp's name too.
    return ["prompt": text, "content": text]
  }
}
