internal import Tensor
internal import Tokenization

/// A request on its way: its text so far and what watches over its end. A value; the loop owns it.
struct ActiveRequest {
  let id: RequestID
  let request: GenerationRequest
  let sampler: Sampler
  /// Prompt and output.
  private(set) var tokens: [TokenID]
  private(set) var counts: TokenCounts
  /// Where the answer stands in what it must keep to.
  private(set) var constraint: (any TokenConstraint)?
  private(set) var speculation = SpeculationCounts()
  private var text: AnswerText
  /// Most tokens of the output, by the request and by the context length.
  let maximumOutput: Int
  let submitted: ContinuousClock.Instant
  private var timing = GenerationTiming()
  private var hasStarted = false

  init(_ request: GenerationRequest, id: RequestID, tokenizer: Tokenizer, maximumLength: Int) {
    self.id = id
    self.request = request
    sampler = Sampler(request.sampling)
    tokens = request.prompt
    counts = TokenCounts(prompt: request.prompt)
    constraint = request.constraint
    text = AnswerText(tokenizer: tokenizer, stops: request.stopping.strings)
    maximumOutput = min(request.stopping.maximumTokens, maximumLength - request.prompt.count)
    submitted = .now
  }

  var outputCount: Int { tokens.count - request.prompt.count }

  func proposalContext(window: Int) -> ProposalContext {
    ProposalContext(
      request: id, tokens: tokens, promptCount: request.prompt.count, window: window, sampler: sampler, counts: counts,
      constraint: constraint)
  }

  /// Marks the first pass that works on the request.
  mutating func start() {
    guard !hasStarted else { return }
    hasStarted = true
    timing.queueSeconds = secondsSinceSubmission
  }

  /// Appends verified tokens until one of them ends the answer.
  ///
  /// - Parameters:
  ///   - verified: accepted proposals, then the target's token.
  ///   - proposed: how many proposals were checked.
  ///   - logits: row `firstRow + i` decided on `verified[i]`.
  /// - Returns: the events to emit, and the reason when the answer has ended.
  mutating func append(
    _ verified: [TokenID], proposed: Int, logits: Activations, firstRow: Int
  ) -> (events: [GenerationEvent], end: FinishReason?) {
    let accepted = verified.count - 1
    speculation.record(proposed: proposed, accepted: accepted)
    if outputCount == 0 { timing.firstTokenSeconds = secondsSinceSubmission }
    var events: [GenerationEvent] = []
    for (index, token) in verified.enumerated() {
      tokens.append(token)
      counts.append(token)
      constraint?.advance(by: token)
      let (piece, stop) = text.append(token)
      let logprobs = request.logprobCount.map {
        TokenLogprobs(logits, row: firstRow + index, token: token, count: $0)
      }
      events.append(
        .token(
          GeneratedToken(id: token, text: piece, origin: index < accepted ? .draft : .target, logprobs: logprobs)))
      if let stop { return (events, .stopString(stop)) }
      if request.stopping.end(at: token) { return (events, .stopToken(token)) }
      if outputCount >= maximumOutput { return (events, .length) }
    }
    return (events, nil)
  }

  /// The last event.
  mutating func finish(_ reason: FinishReason) -> GenerationEvent {
    timing.totalSeconds = secondsSinceSubmission
    var (remaining, reason) = ("", reason)
    if case .stopString = reason {
    } else {
      let (text, stop) = text.finish()
      remaining = text
      if let stop { reason = .stopString(stop) }
    }
    return .finished(
      GenerationSummary(
        reason: reason, remainingText: remaining, promptTokens: request.prompt.count, outputTokens: outputCount,
        speculation: speculation, timing: timing))
  }

  private var secondsSinceSubmission: Double { (ContinuousClock.now - submitted) / .seconds(1) }
}
