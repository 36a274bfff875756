internal import Decoding
internal import JSON

/// What a request cost and how speculation went, over all of its answers.
struct Usage: Sendable {
  let promptTokens: Int
  /// Tokens of the prompts whose keys and values were in the cache already.
  private(set) var cachedTokens = 0
  private(set) var outputTokens = 0
  private(set) var speculation = SpeculationCounts()
  private var verifications: [VerificationCounts] = []

  init(promptTokens: Int) { self.promptTokens = promptTokens }

  /// Adds an answer.
  ///
  /// - Parameter isFirst: whether it is its prompt's first; the prompt counts once.
  mutating func add(_ summary: GenerationSummary, isFirst: Bool, discardsOutput: Bool) {
    if isFirst { cachedTokens += min(summary.cachedTokens, summary.promptTokens) }
    if !discardsOutput { outputTokens += summary.outputTokens }
    speculation.add(summary.speculation)
    verifications += summary.verifications
  }

  var json: JSONValue {
    guard case .object(var usage) = Self.json(promptTokens: promptTokens, outputTokens: outputTokens) else {
      return .null
    }
    usage["prompt_tokens_details"] = ["cached_tokens": .integer(cachedTokens)]
    return .object(usage)
  }

  /// `usage` of an answer that is not complete.
  static func json(promptTokens: Int, outputTokens: Int) -> JSONValue {
    [
      "prompt_tokens": .integer(promptTokens), "completion_tokens": .integer(outputTokens),
      "total_tokens": .integer(promptTokens + outputTokens),
    ]
  }

  /// `metrics`, in vLLM's shape; `nil` for no report.
  func metrics(window: Int, report: SpeculationReport) -> JSONValue? {
    guard report != .none else { return nil }
    let perPosition = speculation.acceptedPerPosition
    // Verifications by how many proposals they accepted: 0, 1, ….
    let atLeast = [speculation.drafts] + perPosition
    let histogram = atLeast.indices.map { atLeast[$0] - ($0 + 1 < atLeast.count ? atLeast[$0 + 1] : 0) }
    var figures = JSONObject([
      ("mean_acceptance_length", speculation.meanAcceptanceLength.map(JSONValue.number) ?? .null),
      ("draft_acceptance_rate", speculation.acceptanceRate.map(JSONValue.number) ?? .null),
      ("acceptance_histogram", .array(speculation.drafts == 0 ? [] : histogram.map { .integer($0) })),
      ("num_spec_steps", .integer(speculation.drafts)),
      ("num_accepted_draft_tokens", .integer(speculation.acceptedTokens)),
      ("num_draft_tokens", .integer(speculation.draftTokens)), ("num_spec_tokens", .integer(window)),
      ("num_draft_tokens_per_pos", .array(speculation.proposedPerPosition.map { .integer($0) })),
      ("num_accepted_tokens_per_pos", .array(perPosition.map { .integer($0) })),
    ])
    if report == .detailed {
      figures["per_step_accepted"] = .array(verifications.map { .integer($0.accepted) })
      figures["per_step_drafted"] = .array(verifications.map { .integer($0.proposed) })
    }
    return ["speculative_decoding": .object(figures)]
  }
}
