internal import Decoding
internal import Tokenization

/// What a request cost and how speculation went, over all of its answers.
struct Usage: Sendable {
  let promptTokens: Int
  private(set) var outputTokens = 0
  private(set) var speculation = SpeculationCounts()
  private var verifications: [VerificationCounts] = []

  init(promptTokens: Int) { self.promptTokens = promptTokens }

  mutating func add(_ summary: GenerationSummary, discardsOutput: Bool) {
    if !discardsOutput { outputTokens += summary.outputTokens }
    speculation.add(summary.speculation)
    verifications += summary.verifications
  }

  /// `usage`.
  var json: JSONValue {
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
    ])
    if report == .detailed {
      figures["per_step_accepted"] = .array(verifications.map { .integer($0.accepted) })
      figures["per_step_drafted"] = .array(verifications.map { .integer($0.proposed) })
    }
    return ["speculative_decoding": .object(figures)]
  }
}
