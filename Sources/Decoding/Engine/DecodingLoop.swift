internal import Dispatch
internal import Tensor
public import Tokenization
public import Transformer

/// The engine's loop: schedule, propose, forward, verify, commit, emit.
///
/// It is synchronous and knows no threads; `Engine` runs it on one, tests call `step` themselves.
public final class DecodingLoop {
  /// Turns tokens into text.
  public let tokenizer: Tokenizer
  /// Number of token ids.
  public let vocabularySize: Int
  /// Longest sequence, prompt and output.
  public let maximumLength: Int

  private let runner: any ModelRunner
  private let proposer: any Proposer
  private let verifier: any Verifier
  private let fused: (any FusedSpeculator)?
  private let window: Int
  private var costs: PassCosts
  private var scheduler: Scheduler
  private var requests: [RequestID: ActiveRequest] = [:]
  private var totals = EngineStatistics()
  /// Seconds that passes of the target have taken.
  private var targetSeconds = 0.0
  private let preparation = ConstraintPreparation()

  /// Seconds that passes have taken so far, the target's and those of a draft.
  var passSeconds: Double { targetSeconds + proposer.passSeconds }

  /// A loop around a target.
  ///
  /// - Parameters:
  ///   - runner: the target.
  ///   - proposer: guesses; `NoProposer` for plain decoding.
  ///   - verifier: decides on the guesses.
  ///   - fused: does the work of both in steps that it can do.
  ///   - window: most proposals per verification (`num_speculative_tokens`).
  ///   - costs: what passes of the runner cost.
  ///   - sequences: most requests in one pass.
  ///   - rows: most rows in one pass; the runner's capacity bounds it too.
  ///   - sharesPrefixes: whether requests that begin alike share KV blocks.
  ///   - blocks: KV blocks to use; all that the runner has when `nil`.
  public init(
    runner: any ModelRunner, tokenizer: Tokenizer, proposer: any Proposer, verifier: any Verifier,
    fused: (any FusedSpeculator)? = nil, window: Int,
    costs: PassCosts = PassCosts(), sequences: Int = 1, rows: Int = .max, sharesPrefixes: Bool = false,
    blocks: Int? = nil
  ) {
    self.runner = runner
    self.tokenizer = tokenizer
    self.proposer = proposer
    self.verifier = verifier
    self.fused = fused
    self.window = window
    self.costs = costs
    let capacity = runner.capacity
    vocabularySize = runner.vocabularySize
    let blockCount = min(capacity.blockCount, blocks ?? .max)
    maximumLength = min(capacity.positions, blockCount * capacity.blockSize)
    scheduler = Scheduler(
      limits: Scheduler.Limits(
        rows: min(rows, capacity.rows), logitRows: capacity.logitRows, sequences: sequences, positions: maximumLength,
        sharesPrefixes: sharesPrefixes),
      pool: BlockPool(capacity: blockCount, blockSize: capacity.blockSize))
  }

  /// Whether no request is under way.
  public var isIdle: Bool { scheduler.isIdle }

  /// What is going on, and what was done so far.
  public var statistics: EngineStatistics {
    var statistics = totals
    statistics.running = scheduler.runningCount
    statistics.waiting = scheduler.waitingCount
    statistics.cacheUsage = scheduler.pool.usage
    statistics.preemptions = scheduler.preemptionCount
    statistics.prefixQueries = scheduler.prefixQueries
    statistics.prefixHits = scheduler.prefixHits
    return statistics
  }

  /// Queues a request; its events come out of `step`.
  ///
  /// - Throws: `RequestError` when the request does not fit the model.
  public func submit(_ request: GenerationRequest, as id: RequestID) throws(RequestError) {
    try request.validate(vocabularySize: vocabularySize, maximumLength: maximumLength)
    let active = ActiveRequest(request, id: id, tokenizer: tokenizer, maximumLength: maximumLength)
    requests[id] = active
    scheduler.add(
      id, known: active.tokens.count, remaining: active.maximumOutput,
      scored: request.promptLogprobCount == nil ? 0 : request.prompt.count, priority: request.priority)
  }

  /// Ends a request before its time and frees its KV blocks.
  ///
  /// - Returns: its last event; `nil` when it has ended already.
  public func cancel(_ id: RequestID) -> GenerationEvent? { end(id, .cancelled) }

  /// One pass of the target over everything that is due.
  public func step() -> [(request: RequestID, event: GenerationEvent)] {
    let started = ContinuousClock.now
    for active in requests.values where active.isLate { resume(active) }
    let shares = scheduler.schedule(
      window: { id in min(window, requests[id]?.request.window ?? window) },
      tokens: { id in requests[id]?.tokens ?? [] }, isHeld: { id in requests[id]?.isLate ?? false })
    guard !shares.isEmpty else {
      if !isIdle { preparation.wait(Self.patience) }
      return []
    }
    do {
      for share in shares { start(share) }
      let outcome = try fusedOutcome(of: shares) ?? unfusedOutcome(of: shares)
      totals.tokensPerStep.observe(Double(shares.reduce(0) { $0 + $1.positions.count }))
      targetSeconds += outcome.passSeconds
      let ended = ContinuousClock.now
      let times = StepTimes(
        proposing: outcome.proposingSeconds, verifying: outcome.passSeconds,
        other: (ended - started) / .seconds(1) - outcome.proposingSeconds - outcome.passSeconds)
      var events: [(RequestID, GenerationEvent)] = []
      for (index, share) in shares.enumerated() {
        requests[share.request]?.spend(
          times.divided(by: shares.count),
          plainSeconds: plainSeconds(outcome.verified[index].count, of: shares.count))
        events += commit(share, index, of: outcome).map { (share.request, $0) }
      }
      return events
    } catch {
      // A pass that fails would fail again: everyone in it is told, and the rest goes on.
      return shares.compactMap { share in end(share.request, .failed("\(error)")).map { (share.request, $0) } }
    }
  }

  /// Longest that a step waits for a constraint when there is nothing else to do; messages wait as long.
  private static let patience = DispatchTimeInterval.milliseconds(5)

  /// Prepares a request for its share of a pass. What its constraint is long in finding out is found beside the pass.
  private func start(_ share: Scheduler.Share) {
    guard let active = requests[share.request] else { return }
    active.start(at: share.positions.lowerBound)
    guard share.reachesEnd, let constraint = active.constraintToPrepare() else { return }
    preparation.begin(constraint, for: share.request)
  }

  /// Lets a request go on whose constraint knows what it allows next.
  private func resume(_ active: ActiveRequest, waiting patience: DispatchTimeInterval = .never) {
    guard let constraint = preparation.take(active.id, waiting: patience) else { return }
    active.resume(constraint)
  }

  /// What a step computed and decided, share by share.
  private struct StepOutcome {
    var proposals: [Proposal]
    var verified: [[TokenID]]
    /// The target's logits, and which rows are whose; none where they stayed on the device.
    var logits: (rows: Activations, of: [Range<Int>])?
    /// Seconds that drafting took, and the target's pass.
    var proposingSeconds, passSeconds: Double
  }

  /// Proposals, one pass of the target over everything, and its verdict.
  private func unfusedOutcome(of shares: [Scheduler.Share]) throws -> StepOutcome {
    let started = ContinuousClock.now
    let asking = shares.map(asksForProposal)
    let proposals = try propose(for: shares, asking)
    let (batch, logitRows) = assemble(shares, proposals)
    let proposed = ContinuousClock.now
    let timer = PassTimer()
    let logits = try runner.forward(batch)
    let computed = ContinuousClock.now
    // A sequence whose constraint is still late waits alone: its share is computed again.
    for share in shares {
      guard let active = requests[share.request], active.isLate else { continue }
      resume(active, waiting: shares.count == 1 ? Self.patience : .never)
    }
    let verified = shares.indices.map { verify(shares[$0], proposals[$0], logits, rows: logitRows[$0]) }
    // Rows that only read a prompt cost less: they want no logits, and nothing is chosen from them.
    if batch.logitRows.count == batch.rowCount {
      costs.observe(rows: batch.rowCount, seconds: timer.seconds, wasHeldUp: timer.wasHeldUp)
    }
    proposer.observe(
      shares.indices.filter { asking[$0] }.map { verdict(shares[$0], proposals[$0], verified[$0]) })
    return StepOutcome(
      proposals: proposals, verified: verified, logits: (logits, logitRows),
      proposingSeconds: (proposed - started) / .seconds(1), passSeconds: (computed - proposed) / .seconds(1))
  }

  /// The same in one go, where every share is a text that goes on and wants nothing but tokens.
  private func fusedOutcome(of shares: [Scheduler.Share]) throws -> StepOutcome? {
    guard let fused else { return nil }
    var texts: [(ProposalContext, [Int32])] = []
    for share in shares {
      guard let active = requests[share.request], active.outputCount > 0, active.request.logprobCount == nil,
        share.reachesEnd, share.positions.count == 1
      else { return nil }
      texts.append((active.proposalContext(window: share.window), scheduler.blocks(of: share.request)))
    }
    let (started, drafting) = (ContinuousClock.now, proposer.passSeconds)
    guard let outcomes = try fused.advance(texts) else { return nil }
    // What the draft had yet to read it read in passes of its own.
    let proposing = proposer.passSeconds - drafting
    return StepOutcome(
      proposals: outcomes.map(\.proposal), verified: outcomes.map(\.verified), proposingSeconds: proposing,
      passSeconds: (ContinuousClock.now - started) / .seconds(1) - proposing)
  }

  /// Whether a share's proposals are asked for: not in the prompt's own pass, whose first token they would delay.
  private func asksForProposal(_ share: Scheduler.Share) -> Bool {
    guard share.window > 0, let active = requests[share.request] else { return false }
    return active.outputCount > 0 && !active.isLate
  }

  /// Asks for proposals where a share's next token is to be decided.
  private func propose(for shares: [Scheduler.Share], _ asking: [Bool]) throws -> [Proposal] {
    var proposals = Array(repeating: Proposal(origin: .target), count: shares.count)
    var contexts: [ProposalContext] = []
    var places: [Int] = []
    for (index, share) in shares.enumerated() where asking[index] {
      guard let active = requests[share.request] else { continue }
      let (run, context) = active.proposalContext(window: share.window).takingForcedRun()
      proposals[index] = Proposal(tokens: run, origin: .target, forcedCount: run.count)
      guard context.window > 0 else { continue }
      contexts.append(context)
      places.append(index)
    }
    guard !contexts.isEmpty else { return proposals }
    let rows = shares.reduce(0) { $0 + $1.positions.count } + proposals.reduce(0) { $0 + $1.tokens.count }
    let outline = PassOutline(rows: rows, costs: costs, expectedTexts: scheduler.expectedCount)
    let guesses = try proposer.propose(for: contexts, in: outline)
    for (index, guess) in guesses.enumerated() { proposals[places[index]].append(contexts[index].admissible(guess)) }
    return proposals
  }

  /// How a text went on that a proposal was asked for, after what the constraint foresaw.
  private func verdict(_ share: Scheduler.Share, _ proposal: Proposal, _ verified: [TokenID]) -> Verdict {
    let foreseen = proposal.tokens.prefix(proposal.forcedCount)
    let isForeseen = verified.starts(with: foreseen)
    return Verdict(request: share.request, tokens: isForeseen ? Array(verified.dropFirst(foreseen.count)) : [])
  }

  /// What `tokens` tokens of one of `requests` requests would have cost, decoded plainly.
  private func plainSeconds(_ tokens: Int, of requests: Int) -> Double {
    Double(tokens) * costs.seconds(rows: requests) / Double(requests)
  }

  private func assemble(
    _ shares: [Scheduler.Share], _ proposals: [Proposal]
  ) -> (batch: Batch, logitRows: [Range<Int>]) {
    var batch = Batch()
    let rows = zip(shares, proposals).map { share, proposal in
      let known = requests[share.request]?.tokens[share.positions] ?? []
      return batch.append(
        known + proposal.tokens, at: share.positions.lowerBound, blocks: scheduler.blocks(of: share.request),
        logitCount: share.logitCount + proposal.tokens.count)
    }
    return (batch, rows)
  }

  /// The tokens that a share's text goes on with; none while its prompt is being read, or its constraint is late.
  private func verify(
    _ share: Scheduler.Share, _ proposal: Proposal, _ logits: Activations, rows: Range<Int>
  ) -> [TokenID] {
    guard share.reachesEnd, let active = requests[share.request], !active.isLate else { return [] }
    return verifier.verify(
      proposal, logits: logits, firstRow: rows.upperBound - proposal.tokens.count - 1, sampler: active.sampler,
      counts: active.counts, position: active.outputCount, constraint: active.constraint)
  }

  /// Adds verified tokens to the text, and takes back the cache positions of rejected proposals.
  private func commit(_ share: Scheduler.Share, _ index: Int, of outcome: StepOutcome) -> [GenerationEvent] {
    let (verified, proposal) = (outcome.verified[index], outcome.proposals[index])
    let rows = outcome.logits.map { (logits: $0.rows, rows: $0.of[index]) }
    if let rows, share.logitCount > 1 || !share.reachesEnd {
      requests[share.request]?.scorePrompt(share.positions, logits: rows.logits, firstRow: rows.rows.lowerBound)
    }
    guard !verified.isEmpty else {
      scheduler.commit(share, accepted: share.reachesEnd ? -1 : 0, tokens: requests[share.request]?.tokens ?? [])
      return []
    }
    guard let active = requests[share.request] else { return [] }
    if active.outputCount == 0 { totals.promptTokens += active.request.prompt.count }
    var (events, ending) = active.append(
      verified, proposal: proposal,
      decidedBy: rows.map { ($0.logits, firstRow: $0.rows.upperBound - proposal.tokens.count - 1) })
    let kept = events.count
    totals.outputTokens += kept
    totals.speculation.record(proposed: proposal.tokens.count, accepted: verified.count - 1)
    if active.request.explainsDecisions, case .token(var first)? = events.first {
      first.decision = proposer.explanation(for: share.request)
      events[0] = .token(first)
    }
    // Of tokens past the end of the answer nothing is kept.
    scheduler.commit(share, accepted: kept - 1, appended: kept, tokens: active.tokens)
    if let ending, let last = end(share.request, ending) { events.append(last) }
    return events
  }

  private func end(_ id: RequestID, _ reason: FinishReason) -> GenerationEvent? {
    guard let active = requests.removeValue(forKey: id) else { return nil }
    scheduler.remove(id)
    proposer.forget(id)
    preparation.forget(id)
    return active.finish(reason)
  }
}
