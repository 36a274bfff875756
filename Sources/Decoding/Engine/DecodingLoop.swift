internal import Dispatch
internal import Tensor
package import Tokenization
package import Transformer

/// The engine's loop: schedule, propose, run, verify, commit, emit.
///
/// It is synchronous and knows no threads; `Engine` runs it on one, tests call `step` themselves.
package final class DecodingLoop {
  /// Turns tokens into text.
  package let tokenizer: Tokenizer
  /// Number of token ids.
  package let vocabularySize: Int
  /// Longest sequence, prompt and output.
  package let maximumLength: Int

  private let runner: any ModelRunner
  private let proposer: any Proposer
  private let verifier: any Verifier
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
  ///   - window: most proposals per verification (`num_speculative_tokens`).
  ///   - costs: what passes of the runner cost.
  ///   - sequences: most requests in one pass.
  ///   - rows: most rows in one pass; the runner's capacity bounds it too.
  ///   - sharesPrefixes: whether requests that begin alike share KV blocks.
  ///   - blocks: KV blocks to use; all that the runner has when `nil`.
  package init(
    runner: any ModelRunner, tokenizer: Tokenizer, proposer: any Proposer, verifier: any Verifier,
    window: Int, costs: PassCosts = PassCosts(), sequences: Int = 1, rows: Int = .max, sharesPrefixes: Bool = false,
    blocks: Int? = nil
  ) {
    self.runner = runner
    self.tokenizer = tokenizer
    self.proposer = proposer
    self.verifier = verifier
    self.window = window
    self.costs = costs
    let capacity = runner.capacity
    precondition(capacity.stateSlots == 0 || capacity.stateSlots >= SequenceState.leastSlots)
    vocabularySize = runner.vocabularySize
    let blockCount = min(capacity.blockCount, blocks ?? .max)
    maximumLength = min(capacity.positions, blockCount * capacity.blockSize)
    scheduler = Scheduler(
      limits: Scheduler.Limits(
        rows: min(rows, capacity.rows), logitRows: capacity.logitRows, sequences: sequences, positions: maximumLength,
        sharesPrefixes: sharesPrefixes),
      pool: BlockPool(
        capacity: blockCount, blockSize: capacity.blockSize, stateSlots: capacity.stateSlots,
        windows: capacity.windows.map { WindowLimits(window: $0.window, slots: $0.blockCount) }))
  }

  /// Whether no request is under way.
  package var isIdle: Bool { scheduler.isIdle }

  /// What is going on, and what was done so far.
  package var statistics: EngineStatistics {
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
  package func submit(_ request: GenerationRequest, as id: RequestID) throws(RequestError) {
    try request.validate(vocabularySize: vocabularySize, maximumLength: maximumLength)
    let active = ActiveRequest(request, id: id, tokenizer: tokenizer, maximumLength: maximumLength)
    requests[id] = active
    scheduler.add(
      id, known: active.tokens.count, remaining: active.maximumOutput,
      scored: request.promptLogprobCount == nil ? 0 : request.prompt.count, pooling: request.pooling,
      priority: request.priority)
  }

  /// Ends a request before its time and frees its KV blocks.
  ///
  /// - Returns: its last event; `nil` when it has ended already.
  package func cancel(_ id: RequestID) -> GenerationEvent? { end(id, .cancelled) }

  /// One pass of the target over everything that is due.
  package func step() -> [(request: RequestID, event: GenerationEvent)] {
    for active in requests.values where active.isLate { resume(active) }
    let shares = schedule()
    guard !shares.isEmpty else { return rest() }
    var step = DecodingStep(shares)
    do {
      try propose(for: &step)
      assemble(&step)
      step.clock.beginPass()
      step.result = try runner.run(step.pass)
      step.clock.endPass()
      verify(&step)
      try learn(from: step)
      return commit(step)
    } catch {
      // A pass that fails would fail again: everyone in it is told, and the rest goes on.
      return shares.compactMap { share in end(share.request, .failed("\(error)")).map { (share.request, $0) } }
    }
  }

  /// What the next pass computes.
  private func schedule() -> [Scheduler.Share] {
    let shares = scheduler.schedule(
      window: { id in min(window, requests[id]?.request.window ?? window) },
      tokens: { id in requests[id]?.tokens ?? [] }, isHeld: { id in requests[id]?.isLate ?? false })
    for share in shares { start(share) }
    return shares
  }

  /// Nothing to compute: everyone waits for what a constraint allows, if anyone is there.
  private func rest() -> [(request: RequestID, event: GenerationEvent)] {
    if !isIdle { preparation.wait(Self.patience) }
    return []
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

  // MARK: - Propose

  /// Asks for proposals where a share's next token is to be decided: not in the prompt's own pass, whose first token they
  /// would delay.
  private func propose(for step: inout DecodingStep) throws {
    var (contexts, places) = ([ProposalContext](), [Int]())
    for (index, share) in step.shares.enumerated() where share.window > 0 {
      guard let active = requests[share.request], active.outputCount > 0, !active.isLate else { continue }
      step.isAsked[index] = true
      let (run, context) = context(of: active, share).takingForcedRun()
      step.proposals[index] = Proposal(tokens: run, origin: .target, forcedCount: run.count)
      guard context.window > 0 else { continue }
      contexts.append(context)
      places.append(index)
    }
    guard !contexts.isEmpty else { return }
    let unasked = step.shares.compactMap { share -> ProposalContext? in
      guard share.window == 0, share.goesOnByOne, let active = requests[share.request] else { return nil }
      return context(of: active, share)
    }
    let outline = PassOutline(
      rows: step.rowCount, costs: costs, unasked: unasked, expectedSequences: scheduler.expectedCount)
    let guesses = try proposer.propose(for: contexts, in: outline)
    for (index, guess) in guesses.enumerated() {
      step.proposals[places[index]].append(contexts[index].admissible(guess))
      let request = contexts[index].request
      if requests[request]?.request.listsProposals == true {
        step.offers[places[index]] = proposer.offers(for: request)
      }
    }
  }

  /// What a proposer may know of a request.
  private func context(of active: ActiveRequest, _ share: Scheduler.Share) -> ProposalContext {
    active.proposalContext(
      share, blocks: scheduler.blocks(of: share.request), choice: choice(of: active))
  }

  /// How the next token of a request is chosen, where the runner can choose it and nothing else is wanted of the logits.
  private func choice(of active: ActiveRequest) -> TokenChoice? {
    let parameters = active.sampler.parameters
    guard runner.choosing.allows(temperature: parameters.temperature), verifier.comparesTokens,
      active.request.logprobCount == nil, active.constraint == nil,
      active.sampler.isUnrestricted(from: active.outputCount, vocabularySize: vocabularySize)
    else { return nil }
    return TokenChoice(
      temperature: parameters.temperature, seed: parameters.seed, outputPosition: active.outputCount)
  }

  // MARK: - Run

  /// The pass over known tokens and proposals, and what is wanted of it.
  private func assemble(_ step: inout DecodingStep) {
    for (share, proposal) in zip(step.shares, step.proposals) {
      let known = requests[share.request]?.tokens[share.positions] ?? []
      let rows = step.pass.batch.append(
        known + proposal.tokens, at: share.positions.lowerBound, blocks: scheduler.blocks(of: share.request),
        logitCount: share.logitCount + proposal.tokens.count,
        windowBlocks: scheduler.windowBlocks(of: share.request),
        states: share.states?.keeping(rows: known.count + proposal.tokens.count))
      step.logitRows.append(rows)
      step.firstHiddenRows.append(step.pass.hiddenRows.count)
      if let pooling = requests[share.request]?.request.pooling {
        let end = step.pass.batch.rowCount
        step.pass.hiddenRows += pooling.hiddenRows(of: end - known.count..<end, reachesEnd: share.reachesEnd)
      }
    }
    if !proposer.taps.isEmpty {
      step.pass.taps = Taps(layers: proposer.taps, rows: Array(0..<step.pass.batch.rowCount))
    }
    step.pass.choices = choices(for: step) ?? []
  }

  /// How all tokens that follow the pass's logit rows are chosen; `nil` where the logits of one are wanted.
  private func choices(for step: DecodingStep) -> [TokenChoice]? {
    guard runner.choosing.allows(temperature: 0), verifier.comparesTokens else { return nil }
    var choices: [TokenChoice] = []
    for (share, proposal) in zip(step.shares, step.proposals) where share.logitCount > 0 {
      guard share.reachesEnd, share.logitCount == 1, let active = requests[share.request],
        active.request.pooling == nil, let first = choice(of: active)
      else { return nil }
      for offset in 0...proposal.tokens.count {
        choices.append(
          TokenChoice(
            temperature: first.temperature, seed: first.seed, outputPosition: first.outputPosition + offset))
      }
    }
    return choices
  }

  // MARK: - Verify

  /// The tokens that every share's sequence goes on with; none while its prompt is being read, or its constraint is late.
  private func verify(_ step: inout DecodingStep) {
    // A sequence whose constraint is still late waits alone: its share is computed again.
    for share in step.shares {
      guard let active = requests[share.request], active.isLate else { continue }
      resume(active, waiting: step.shares.count == 1 ? Self.patience : .never)
    }
    for (index, share) in step.shares.enumerated() where share.reachesEnd {
      guard let active = requests[share.request], !active.isLate, active.request.pooling == nil else { continue }
      let proposal = step.proposals[index]
      if let logits = step.result.logits {
        step.verified[index] = verifier.verify(
          proposal, logits: logits, firstRow: step.decidingRow(of: index), sampler: active.sampler,
          counts: active.counts, position: active.outputCount, constraint: active.constraint)
      } else {
        let chosen = step.result.tokens[step.decidingRow(of: index)..<step.logitRows[index].upperBound]
        let accepted = zip(proposal.tokens, chosen).prefix { $0 == $1 }.count
        step.verified[index] = Array(chosen.prefix(accepted + 1))
      }
    }
  }

  /// Tells costs and the proposer what came of the pass.
  private func learn(from step: DecodingStep) throws {
    targetSeconds += step.clock.passSeconds
    let batch = step.pass.batch
    // Rows that only read a prompt cost less: they want no logits, and nothing is chosen from them.
    if batch.logitRows.count == batch.rowCount {
      costs.observe(
        rows: batch.rowCount, seconds: step.clock.timer.seconds, experts: step.result.expertCount,
        wasHeldUp: step.clock.timer.wasHeldUp)
    }
    try proposer.process(step.targetPass(of: { requests[$0] }))
    proposer.observe(step.verdicts)
  }

  // MARK: - Commit

  /// Adds verified tokens to their sequences, and takes back the memory of rejected proposals.
  private func commit(_ step: DecodingStep) -> [(request: RequestID, event: GenerationEvent)] {
    totals.tokensPerStep.observe(Double(step.shares.reduce(0) { $0 + $1.positions.count }))
    let times = step.clock.times.divided(by: step.shares.count)
    // What a token would have cost, decoded plainly.
    let plainSeconds = costs.seconds(rows: step.shares.count) / Double(step.shares.count)
    return step.shares.indices.flatMap { index in
      let request = step.shares[index].request
      requests[request]?.spend(times, plainSeconds: Double(step.verified[index].count) * plainSeconds)
      return commit(index, of: step).map { (request, $0) }
    }
  }

  private func commit(_ index: Int, of step: DecodingStep) -> [GenerationEvent] {
    let (share, verified, proposal) = (step.shares[index], step.verified[index], step.proposals[index])
    if let logits = step.result.logits, share.logitCount > 1 || !share.reachesEnd {
      requests[share.request]?.promptScores?.add(
        share.positions, logits, firstRow: step.logitRows[index].lowerBound)
    }
    if let active = requests[share.request], active.request.pooling != nil {
      scheduler.commit(share, tokens: active.tokens)
      let ending = active.pool(
        share, from: step.result, hiddenRow: step.firstHiddenRows[index], logitRow: step.logitRows[index].upperBound - 1
      )
      guard let ending, let last = end(share.request, ending) else { return [] }
      totals.promptTokens += active.request.prompt.count
      return [last]
    }
    guard !verified.isEmpty else {
      scheduler.commit(share, accepted: share.reachesEnd ? -1 : 0, tokens: requests[share.request]?.tokens ?? [])
      return []
    }
    guard let active = requests[share.request] else { return [] }
    if active.outputCount == 0 { totals.promptTokens += active.request.prompt.count }
    var (events, ending) = active.append(
      verified, proposal: proposal, offers: step.offers[index],
      decidedBy: step.result.logits.map { ($0, step.decidingRow(of: index)) })
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
