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
  private let window: Int
  private var scheduler: Scheduler
  private var requests: [RequestID: ActiveRequest] = [:]

  /// A loop around a target.
  ///
  /// - Parameters:
  ///   - runner: the target.
  ///   - proposer: guesses; `NoProposer` for plain decoding.
  ///   - verifier: decides on the guesses.
  ///   - window: proposals per verification (`num_speculative_tokens`).
  ///   - sequences: most requests in one pass.
  ///   - rows: most rows in one pass; the runner's capacity bounds it too.
  public init(
    runner: any ModelRunner, tokenizer: Tokenizer, proposer: any Proposer, verifier: any Verifier, window: Int,
    sequences: Int = 1, rows: Int = .max
  ) {
    self.runner = runner
    self.tokenizer = tokenizer
    self.proposer = proposer
    self.verifier = verifier
    self.window = window
    let capacity = runner.capacity
    vocabularySize = runner.vocabularySize
    maximumLength = min(capacity.positions, capacity.blockCount * capacity.blockSize)
    scheduler = Scheduler(
      limits: Scheduler.Limits(
        rows: min(rows, capacity.rows), logitRows: capacity.logitRows, sequences: sequences, positions: maximumLength),
      pool: BlockPool(capacity: capacity.blockCount, blockSize: capacity.blockSize))
  }

  /// Whether no request is under way.
  public var isIdle: Bool { scheduler.isIdle }

  /// Queues a request; its events come out of `step`.
  ///
  /// - Throws: `RequestError` when the request does not fit the model.
  public func submit(_ request: GenerationRequest, as id: RequestID) throws(RequestError) {
    try request.validate(vocabularySize: vocabularySize, maximumLength: maximumLength)
    let active = ActiveRequest(request, id: id, tokenizer: tokenizer, maximumLength: maximumLength)
    requests[id] = active
    scheduler.add(id, known: active.tokens.count, remaining: active.maximumOutput)
  }

  /// Ends a request before its time and frees its KV blocks.
  ///
  /// - Returns: its last event; `nil` when it has ended already.
  public func cancel(_ id: RequestID) -> GenerationEvent? { end(id, .cancelled) }

  /// One pass of the target over everything that is due.
  public func step() -> [(request: RequestID, event: GenerationEvent)] {
    let shares = scheduler.schedule { id in min(window, requests[id]?.request.window ?? window) }
    guard !shares.isEmpty else { return [] }
    do {
      for share in shares { requests[share.request]?.start() }
      let proposals = try propose(for: shares)
      let (batch, logitRows) = assemble(shares, proposals)
      let logits = try runner.forward(batch)
      var events: [(RequestID, GenerationEvent)] = []
      for (index, share) in shares.enumerated() {
        let verified = verify(share, proposals[index], logits, rows: logitRows[index])
        events += commit(share, verified, proposed: proposals[index].count, logits, rows: logitRows[index])
          .map { (share.request, $0) }
      }
      return events
    } catch {
      // A pass that fails would fail again: everyone in it is told, and the rest goes on.
      return shares.compactMap { share in end(share.request, .failed("\(error)")).map { (share.request, $0) } }
    }
  }

  /// Asks for proposals where a share's next token is to be decided.
  private func propose(for shares: [Scheduler.Share]) throws -> [[TokenID]] {
    var contexts: [ProposalContext] = []
    var places: [Int] = []
    var proposals: [[TokenID]] = Array(repeating: [], count: shares.count)
    for (index, share) in shares.enumerated() where share.window > 0 {
      // The prompt's own pass has no guesses in it: they would delay the first token.
      guard let active = requests[share.request], active.outputCount > 0 else { continue }
      let context: ProposalContext
      (proposals[index], context) = active.proposalContext(window: share.window).takingForcedRun()
      guard context.window > 0 else { continue }
      contexts.append(context)
      places.append(index)
    }
    guard !contexts.isEmpty else { return proposals }
    for (index, guess) in try proposer.propose(for: contexts).enumerated() {
      proposals[places[index]] += contexts[index].admissible(guess)
    }
    return proposals
  }

  private func assemble(
    _ shares: [Scheduler.Share], _ proposals: [[TokenID]]
  ) -> (batch: Batch, logitRows: [Range<Int>]) {
    var batch = Batch()
    let rows = zip(shares, proposals).map { share, guess in
      let known = requests[share.request]?.tokens[share.positions] ?? []
      return batch.append(
        known + guess, at: share.positions.lowerBound, blocks: scheduler.blocks(of: share.request),
        logitCount: share.reachesEnd ? guess.count + 1 : 0)
    }
    return (batch, rows)
  }

  /// The tokens that a share's text goes on with; none while its prompt is being read.
  private func verify(
    _ share: Scheduler.Share, _ proposals: [TokenID], _ logits: Activations, rows: Range<Int>
  ) -> [TokenID] {
    guard share.reachesEnd, let active = requests[share.request] else { return [] }
    return verifier.verify(
      proposals, logits: logits, firstRow: rows.lowerBound, sampler: active.sampler, counts: active.counts,
      position: active.outputCount, constraint: active.constraint)
  }

  /// Adds verified tokens to the text, and takes back the cache positions of rejected proposals.
  private func commit(
    _ share: Scheduler.Share, _ verified: [TokenID], proposed: Int, _ logits: Activations, rows: Range<Int>
  ) -> [GenerationEvent] {
    guard !verified.isEmpty else {
      scheduler.commit(share)
      return []
    }
    guard var active = requests[share.request] else { return [] }
    requests[share.request] = nil
    var (events, ending) = active.append(verified, proposed: proposed, logits: logits, firstRow: rows.lowerBound)
    requests[share.request] = active
    if let ending {
      if let last = end(share.request, ending) { events.append(last) }
    } else {
      scheduler.commit(share, accepted: verified.count - 1, appended: verified.count)
    }
    return events
  }

  private func end(_ id: RequestID, _ reason: FinishReason) -> GenerationEvent? {
    guard var active = requests.removeValue(forKey: id) else { return nil }
    scheduler.remove(id)
    proposer.forget(id)
    return active.finish(reason)
  }
}
