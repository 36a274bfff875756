internal import StructuredOutput
internal import Decoding
internal import Tokenization

/// The body of `/v1/completions`.
struct CompletionRequest: Sendable {
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

  init(_ fields: JSONFields, serving: ServingContext, budget: WorkBudget) throws(APIError) {
    generation = try GenerationFields(fields, serving: serving)
    prompts = try Self.prompts(fields, serving: serving, budget: budget)
    echoes = try fields.bool("echo") ?? false
    let limit = try fields.integer("max_tokens", in: 0 ... .max) ?? Self.defaultMaximumTokens
    isEchoOnly = limit == 0
    generation.request.constraint = try serving.constraints.constraint(fields, reasoning: .none, budget: budget)
    guard limit > 0 || echoes else {
      throw fields.wrong("max_tokens", 0, "1 or more, or 0 together with echo")
    }
    generation.request.stopping.maximumTokens = max(limit, 1)
    let count = try fields.integer("logprobs", in: 0...GenerationRequest.maximumLogprobCount)
    generation.request.logprobCount = count
    if echoes { generation.request.promptLogprobCount = count }
    try checkEcho()
    if let suffix = try fields.string("suffix"), !suffix.isEmpty {
      throw fields.wrong("suffix", .string(suffix), "nothing: the model only continues a text")
    }
  }

  /// Log-probabilities that the echoes of one request may hold: all answers repeat their prompts'.
  static let mostEchoedLogprobs = 1 << 20

  private func checkEcho() throws(APIError) {
    guard echoes, let count = generation.request.logprobCount else { return }
    let tokens = prompts.reduce(0) { $0 + $1.count }
    let entries = tokens.multipliedReportingOverflow(by: generation.count * (count + 1))
    guard !entries.overflow, entries.partialValue <= Self.mostEchoedLogprobs else {
      throw .badRequest(
        "echo with logprobs \(count) and n \(generation.count) repeats \(tokens) tokens of prompts with \(entries.partialValue) log-probabilities; expected at most \(Self.mostEchoedLogprobs)",
        parameter: "n")
    }
  }

  /// A text, token ids, or an array of either.
  private static func prompts(
    _ fields: JSONFields, serving: ServingContext, budget: WorkBudget
  ) throws(APIError) -> [[TokenID]] {
    let expected = "a text, an array of texts, an array of token ids or an array of such arrays"
    guard let value = fields.value("prompt") else { throw fields.missing("prompt", expected) }
    let addsSpecialTokens = try fields.bool("add_special_tokens") ?? true
    func encode(_ text: String) throws(APIError) -> [TokenID] {
      try serving.tokens(of: text, addsSpecialTokens: addsSpecialTokens, budget: budget)
    }
    switch value {
    case .string(let text): return [try encode(text)]
    case .array(let values):
      guard !values.isEmpty else { throw fields.wrong("prompt", value, expected + "; not an empty one") }
      guard values.count <= maximumPrompts || values.first?.string == nil && values.first?.array == nil else {
        throw fields.wrong("prompt", value, "at most \(maximumPrompts) prompts")
      }
      if let tokens = JSONFields.tokens(values) { return [tokens] }
      var prompts: [[TokenID]] = []
      for value in values {
        if let text = value.string {
          prompts.append(try encode(text))
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
