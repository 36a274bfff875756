internal import StructuredOutput
internal import Decoding
internal import Tokenization

/// The body of `/v1/completions`.
struct CompletionRequest {
  var generation: GenerationFields
  /// Token ids of each prompt.
  let prompts: [[TokenID]]
  /// Whether answers begin with the prompt.
  let echoes: Bool
  /// Whether nothing is generated: the prompt alone is wanted.
  let isEchoOnly: Bool

  /// Tokens of an answer when nothing is said, as in OpenAI's API.
  static let defaultMaximumTokens = 16
  /// Most prompts in one request.
  static let maximumPrompts = 1024

  init(_ fields: JSONFields, serving: ServingContext) throws(APIError) {
    try UnsupportedFields.refuse(fields, inChat: false)
    let generation = try GenerationFields(fields, serving: serving)
    self.generation = generation
    prompts = try Self.prompts(fields, tokenizer: serving.tokenizer).map { generation.truncated($0) }
    echoes = try fields.bool("echo") ?? false
    let limit = try fields.integer("max_tokens", in: 0 ... .max) ?? Self.defaultMaximumTokens
    isEchoOnly = limit == 0
    let form = try ConstraintSource.form(fields)
    self.generation.request.constraint = generation.filters.restricting(
      try serving.constraints.constraint(for: form, reasoning: .none))
    guard limit > 0 || echoes else {
      throw fields.wrong("max_tokens", 0, "1 or more, or 0 together with echo")
    }
    self.generation.request.stopping.maximumTokens = max(limit, 1)
    let count = try fields.integer("logprobs", in: 0...GenerationRequest.maximumLogprobCount)
    self.generation.request.logprobCount = count
    if echoes, let count {
      self.generation.request.promptLogprobCount = max(count, generation.request.promptLogprobCount ?? 0)
    }
    if let suffix = try fields.string("suffix"), !suffix.isEmpty {
      throw fields.wrong("suffix", .string(suffix), "nothing: the model only continues a text")
    }
  }

  /// A text, token ids, or an array of either.
  private static func prompts(_ fields: JSONFields, tokenizer: Tokenizer) throws(APIError) -> [[TokenID]] {
    let expected = "a text, an array of texts, an array of token ids or an array of such arrays"
    guard let value = fields.value("prompt") else { throw fields.missing("prompt", expected) }
    let addsSpecialTokens = try fields.bool("add_special_tokens") ?? true
    func encode(_ text: String) -> [TokenID] { tokenizer.encode(text, addsSpecialTokens: addsSpecialTokens) }
    switch value {
    case .string(let text): return [encode(text)]
    case .array(let values):
      guard !values.isEmpty else { throw fields.wrong("prompt", value, expected + "; not an empty one") }
      guard values.count <= maximumPrompts || values.first?.string == nil && values.first?.array == nil else {
        throw fields.wrong("prompt", value, "at most \(maximumPrompts) prompts")
      }
      if let tokens = JSONFields.tokens(values) { return [tokens] }
      var prompts: [[TokenID]] = []
      for value in values {
        if let text = value.string {
          prompts.append(encode(text))
        } else if let values = value.array, let tokens = JSONFields.tokens(values) {
          prompts.append(tokens)
        } else {
          throw fields.wrong("prompt", value, expected)
        }
      }
      return prompts
    default: throw fields.wrong("prompt", value, expected)
    }
  }
}
