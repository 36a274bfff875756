internal import JSON
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
    try UnsupportedFields.refuse(fields, inChat: false)
    let generation = try GenerationFields(fields, serving: serving, budget: budget)
    self.generation = generation
    prompts = try serving.prompts(
      fields, "prompt", limit: Self.maximumPrompts, mostTokens: generation.mostTokens, budget: budget
    ).map { generation.truncated($0) }
    echoes = try fields.bool("echo") ?? false
    let limit = try fields.integer("max_tokens", in: 0 ... .max) ?? Self.defaultMaximumTokens
    isEchoOnly = limit == 0
    let form = try ConstraintSource.form(fields)
    self.generation.request.constraint = generation.filters.restricting(
      try serving.constraints.constraint(for: form, reasoning: .none, budget: budget))
    guard limit > 0 || echoes else {
      throw fields.wrong("max_tokens", 0, "1 or more, or 0 together with echo")
    }
    self.generation.request.stopping.maximumTokens = max(limit, 1)
    let count = try fields.integer("logprobs", in: 0...GenerationRequest.maximumLogprobCount)
    self.generation.request.logprobCount = count
    if echoes, let count {
      self.generation.request.promptLogprobCount = max(count, generation.request.promptLogprobCount ?? 0)
    }
    try checkPromptLogprobs()
    if let suffix = try fields.string("suffix"), !suffix.isEmpty {
      throw fields.wrong("suffix", .string(suffix), "nothing: the model only continues a text")
    }
  }

  /// Log-probabilities of prompts that the answers of one request may hold: all answers repeat their prompts'.
  static let mostPromptLogprobs = 1 << 20

  private func checkPromptLogprobs() throws(APIError) {
    guard let count = generation.request.promptLogprobCount else { return }
    let tokens = prompts.reduce(0) { $0 + $1.count }
    let lists = (echoes && generation.request.logprobCount != nil ? 1 : 0) + (generation.returnsPromptLogprobs ? 1 : 0)
    let entries = tokens.multipliedReportingOverflow(by: generation.count * (count + 1) * lists)
    guard !entries.overflow, entries.partialValue <= Self.mostPromptLogprobs else {
      throw .badRequest(
        "n \(generation.count) repeats \(tokens) tokens of prompts with \(entries.partialValue) log-probabilities; expected at most \(Self.mostPromptLogprobs)",
        parameter: "n")
    }
  }
}
