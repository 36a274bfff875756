internal import Tensor
internal import Tokenization
internal import Transformer
internal import Transformer

/// A request on its way: its text so far and what watches over its end. The loop owns it.
final class ActiveRequest {
  let id: RequestID
  let request: GenerationRequest
  let sampler: Sampler
  /// Prompt and output.
  private(set) var tokens: [TokenID]
  private(set) var counts: TokenCounts
  /// Where the answer stands in what it must keep to.
  private(set) var constraint: (any TokenConstraint)?
  /// Whether what the constraint allows next is still being worked out elsewhere.
  private(set) var isLate = false
  private(set) var speculation = SpeculationCounts()
  private var verifications: [VerificationCounts] = []
  private var text: AnswerText
  /// Most tokens of the output, by the request and by the context length.
  let maximumOutput: Int
  let submitted: ContinuousClock.Instant
  private var timing = GenerationTiming()
  /// Log-probabilities of the prompt, where they are wanted.
  var promptScores: PromptScores?
  /// What is pooled of the prompt, where that is wanted.
  var pooledRows: PooledRows?
  /// Tokens of the prompt that were in the KV cache already.
  private var cachedTokens = 0
  private var hasStarted = false

  init(_ request: GenerationRequest, id: RequestID, tokenizer: Tokenizer, maximumLength: Int) {
    self.id = id
    self.request = request
    sampler = Sampler(
      request.sampling, withholding: request.stopping.endTokens, before: request.stopping.minimumTokens)
    tokens = request.prompt
    counts = TokenCounts(prompt: request.prompt, isKept: request.sampling.hasPenalties)
    constraint = request.constraint
    promptScores = request.promptLogprobCount.map { PromptScores(prompt: request.prompt, count: $0) }
    pooledRows = request.pooling.map { PooledRows($0) }
    text = AnswerText(tokenizer: tokenizer, request: request)
    maximumOutput = min(request.stopping.maximumTokens, maximumLength - request.prompt.count)
    submitted = .now
  }

  var outputCount: Int { tokens.count - request.prompt.count }

  func proposalContext(_ share: Scheduler.Share, blocks: [Int32], choice: TokenChoice?) -> ProposalContext {
    ProposalContext(
      request: id, tokens: tokens, promptCount: request.prompt.count, window: share.window,
      computedCount: share.positions.lowerBound, blocks: blocks,
      method: request.method, sampler: sampler, counts: counts, choice: choice, constraint: constraint,
      remaining: maximumOutput - outputCount)
  }

  /// Finds out what the constraint allows next, if that is soon found.
  ///
  /// - Returns: the constraint where it is not, for others to work out.
  func constraintToPrepare() -> (any TokenConstraint)? {
    guard !isLate, constraint?.nextSoon().isLate == true else { return nil }
    isLate = true
    return constraint
  }

  /// Takes over the constraint as worked out elsewhere.
  func resume(_ constraint: any TokenConstraint) { (self.constraint, isLate) = (constraint, false) }

  /// Marks the first pass that works on the request, from position `first` on.
  func start(at first: Int) {
    guard !hasStarted else { return }
    hasStarted = true
    cachedTokens = first
    timing.queueSeconds = secondsSinceSubmission
  }

  /// Appends verified tokens until one of them ends the answer.
  ///
  /// - Parameters:
  ///   - verified: accepted proposals, then the target's token.
  ///   - proposal: what was checked.
  ///   - offers: what all proposers had, where that is listed.
  ///   - logits: row `firstRow + i` decided on `verified[i]`; needed where log-probabilities are wanted.
  /// - Returns: the events to emit, and the reason when the answer has ended.
  func append(
    _ verified: [TokenID], proposal: Proposal, offers: [Proposal],
    decidedBy logits: (rows: Activations, firstRow: Int)?
  ) -> (events: [GenerationEvent], end: FinishReason?) {
    let accepted = verified.count - 1
    speculation.record(proposed: proposal.tokens.count, accepted: accepted)
    if request.listsVerifications, !proposal.tokens.isEmpty {
      verifications.append(VerificationCounts(proposed: proposal.tokens.count, accepted: accepted))
    }
    if outputCount == 0 { timing.firstTokenSeconds = secondsSinceSubmission }
    var events: [GenerationEvent] = []
    for (index, token) in verified.enumerated() {
      tokens.append(token)
      counts.append(token)
      constraint?.advance(by: token)
      let (piece, stop) = text.append(token, honoursStops: outputCount > request.stopping.minimumTokens)
      var logprobs: TokenLogprobs?
      if let count = request.logprobCount, let logits {
        logprobs = TokenLogprobs(logits.rows, row: logits.firstRow + index, token: token, count: count)
      }
      var generated = GeneratedToken(
        id: token, text: piece, origin: index < accepted ? proposal.origin(of: index) : .target, logprobs: logprobs)
      if request.listsProposals {
        generated.proposals = TokenProposals(at: index, of: verified, proposal: proposal, offers: offers)
      }
      if outputCount == 1 { generated.promptLogprobs = promptScores?.logprobs }
      events.append(.token(generated))
      if let stop { return (events, .stopString(stop)) }
      if request.stopping.end(at: token) { return (events, .stopToken(token)) }
      if outputCount >= maximumOutput { return (events, .length) }
    }
    return (events, nil)
  }

  /// Adds what a pass tells of a prompt that is pooled.
  ///
  /// - Parameters:
  ///   - hiddenRow: row of `result.hidden` that belongs to the first of the positions it is wanted of.
  ///   - logitRow: row of the last position in `result.logits`.
  /// - Returns: the end, once all of the prompt has been read.
  func pool(_ share: Scheduler.Share, from result: PassResult, hiddenRow: Int, logitRow: Int) -> FinishReason? {
    guard let pooling = request.pooling else { return nil }
    let positions = pooling.hiddenRows(of: share.positions, reachesEnd: share.reachesEnd)
    if let hidden = result.hidden { pooledRows?.add(positions, hidden, firstRow: hiddenRow) }
    guard share.reachesEnd else { return nil }
    if let logits = result.logits, pooling.wantsLogits { pooledRows?.add(logits: logits, row: logitRow) }
    timing.firstTokenSeconds = secondsSinceSubmission
    return .pooled
  }

  /// Adds this request's part of a step.
  func spend(_ step: StepTimes, plainSeconds: Double) {
    timing.passes += 1
    timing.proposingSeconds += step.proposing
    timing.verifyingSeconds += step.verifying
    timing.otherSeconds += step.other
    timing.plainSeconds += plainSeconds
  }

  /// The last event.
  func finish(_ reason: FinishReason) -> GenerationEvent {
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
        reason: reason, remainingText: remaining, promptTokens: request.prompt.count, cachedTokens: cachedTokens,
        outputTokens: outputCount,
        speculation: speculation, verifications: verifications, timing: timing,
        pooled: reason == .pooled ? pooledRows?.vector ?? [] : []))
  }

  private var secondsSinceSubmission: Double { (ContinuousClock.now - submitted) / .seconds(1) }
}
