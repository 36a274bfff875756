public import Decoding
internal import Tensor
internal import Tokenization
public import Transformer

/// Proposes what a small model of the same vocabulary would write.
///
/// The draft has a KV cache of its own. Like the target's, it is a count of computed positions that chases the known
/// tokens; a rejected proposal is a subtraction. Requests are drafted together, one pass per proposed position.
public final class DraftModelProposer: Proposer {
  /// How the draft chooses its tokens (`draft_sample_method`).
  public enum Sampling: Sendable {
    /// With the target's own noise, so that it guesses the target's draw.
    case coupled
    /// With noise of its own, and its distribution kept, as verification by rejection needs it.
    case independent
  }

  /// Rows up to which a draft's passes are to be timed at least: what reading a text takes shows where arithmetic limits
  /// a pass.
  package static let readingRows = 64

  private let runner: any ModelRunner
  /// Token ids that the target has; the draft's vocabulary may be padded further.
  private let vocabularySize: Int
  private let sampling: Sampling
  private var pool: BlockPool
  private var caches: [RequestID: Cache] = [:]
  /// What passes of the draft cost, at the pace at which those of the target were measured.
  package private(set) var costs: PassCosts

  /// Seconds that passes of the draft have taken so far.
  public private(set) var passSeconds = 0.0

  /// What the draft has computed of a request.
  private final class Cache {
    /// Tokens whose keys and values are in the cache, by position.
    var computed: [TokenID] = []
    /// How many of them are the text's for good.
    var settled = 0
    var table = BlockTable()
  }

  /// A draft being written in this call.
  private struct Draft {
    let context: ProposalContext
    let index: Int
    var counts: TokenCounts
    var constraint: (any TokenConstraint)?
    var proposal = Proposal(origin: .draftModel)
    var isComplete = false
  }

  /// A proposer around the draft `runner`, whose token ids mean what the target's mean.
  ///
  /// - Parameters:
  ///   - vocabularySize: number of the target's token ids.
  ///   - sampling: how tokens are chosen.
  ///   - costs: what passes of `runner` cost; where they are known, proposals carry their probabilities.
  public init(
    runner: any ModelRunner, vocabularySize: Int, sampling: Sampling = .coupled, costs: PassCosts = PassCosts()
  ) {
    self.runner = runner
    self.vocabularySize = vocabularySize
    self.sampling = sampling
    self.costs = costs
    pool = BlockPool(capacity: runner.capacity.blockCount, blockSize: runner.capacity.blockSize)
  }

  /// Frees the request's KV blocks.
  public func forget(_ request: RequestID) {
    guard let cache = caches.removeValue(forKey: request) else { return }
    pool.truncate(&cache.table, to: 0)
  }

  /// What the draft would write; nothing for a request that its KV cache has no room for.
  public func propose(for contexts: [ProposalContext], in pass: PassOutline) throws -> [Proposal] {
    try propose(for: contexts, in: pass) { _, _ in true }
  }

  /// The same, each draft ending where `continues` says so.
  ///
  /// - Parameter continues: whether the draft of `contexts[index]` is to get another token, given what it has.
  package func propose(
    for contexts: [ProposalContext], in pass: PassOutline,
    continuing continues: (_ index: Int, _ proposal: Proposal) -> Bool
  ) throws -> [Proposal] {
    var proposals = contexts.map { _ in Proposal(origin: .draftModel) }
    // Rows of logits bound how many requests one pass can serve.
    for first in stride(from: 0, to: contexts.count, by: runner.capacity.logitRows) {
      let group = first..<min(first + runner.capacity.logitRows, contexts.count)
      var drafts: [Draft] = []
      for index in group where try prepare(contexts[index], rows: runner.capacity.rows / group.count) {
        let context = contexts[index]
        drafts.append(Draft(context: context, index: index, counts: context.counts, constraint: context.constraint))
      }
      while !drafts.isEmpty {
        try extend(&drafts, pace: pass.costs.drift)
        for draft in drafts { proposals[draft.index] = draft.proposal }
        drafts.removeAll { $0.isComplete || !continues($0.index, $0.proposal) }
      }
    }
    return proposals
  }

  /// Known tokens of a request that the draft has yet to read before it can propose, the last one not counted.
  package func lag(of context: ProposalContext) -> Int {
    max(0, context.tokens.count - 1 - (caches[context.request]?.computed.count ?? 0))
  }

  /// Makes room for the request's tokens and the window, and reads all known tokens but the last.
  ///
  /// - Returns: the request's KV blocks; `nil` when there is no room, or the draft lacks one of the tokens.
  func readAllButLast(_ context: ProposalContext) throws -> [Int32]? {
    try prepare(context, rows: 1) ? cache(of: context.request).table.blocks : nil
  }

  /// Notes that keys and values of the last known token and of `drafted` after it were computed elsewhere.
  func note(_ drafted: [TokenID], computedFor context: ProposalContext) {
    cache(of: context.request).computed += context.tokens.suffix(1) + drafted
  }

  /// Makes room for the request's tokens and the window, and reads all but the last `rows` known tokens; `false` when
  /// there is no room.
  private func prepare(_ context: ProposalContext, rows: Int) throws -> Bool {
    let cache = cache(of: context.request)
    let last = context.tokens.count - 1
    // Only what was proposed last time can differ.
    var common = min(cache.settled, last)
    while common < min(cache.computed.count, last), cache.computed[common] == context.tokens[common] { common += 1 }
    cache.computed.removeLast(cache.computed.count - common)
    cache.settled = min(common, context.tokens.count - context.foreseenCount)
    pool.truncate(&cache.table, to: common)
    guard context.tokens.count + context.window <= runner.capacity.positions,
      pool.reserve(context.tokens.count + context.window, in: &cache.table),
      context.tokens[common...].allSatisfy({ $0 < runner.vocabularySize })
    else { return false }
    while context.tokens.count - cache.computed.count > max(rows, 1) {
      let count = min(runner.capacity.rows, context.tokens.count - 1 - cache.computed.count)
      let next = context.tokens[cache.computed.count..<cache.computed.count + count]
      var batch = Batch()
      batch.append(next, at: cache.computed.count, blocks: cache.table.blocks, logitCount: 0)
      let started = ContinuousClock.now
      _ = try runner.forward(batch)
      passSeconds += (ContinuousClock.now - started) / .seconds(1)
      cache.computed += next
    }
    return true
  }

  private func cache(of request: RequestID) -> Cache {
    if let cache = caches[request] { return cache }
    let cache = Cache()
    caches[request] = cache
    return cache
  }

  /// One pass that adds a token to each draft, and on the way reads what it has not read yet.
  ///
  /// - Parameter pace: what passes take at present, over what they took when costs were measured.
  private func extend(_ drafts: inout [Draft], pace: Double) throws {
    var batch = Batch()
    var rows: [Int] = []
    for draft in drafts {
      let cache = cache(of: draft.context.request)
      let known = draft.context.tokens
      let next = draft.proposal.tokens.last.map { [$0] } ?? Array(known[cache.computed.count...])
      let row = batch.append(next, at: cache.computed.count, blocks: cache.table.blocks, logitCount: 1)
      rows.append(row.lowerBound)
      cache.computed += next
    }
    let timer = PassTimer()
    let logits = try runner.forward(batch)
    passSeconds += timer.seconds
    for (index, row) in rows.enumerated() { choose(&drafts[index], logits, row: row) }
    if batch.logitRows.count == batch.rowCount {
      costs.observe(rows: batch.rowCount, seconds: timer.seconds / pace, wasHeldUp: timer.wasHeldUp)
    }
  }

  private func choose(_ draft: inout Draft, _ logits: Activations, row: Int) {
    let position = draft.context.outputPosition + draft.proposal.tokens.count
    let sampler = draft.context.sampler
    let next = draft.constraint?.nextSoon() ?? .any
    guard !next.isLate else {
      draft.isComplete = true
      return
    }
    let token: TokenID
    switch sampling {
    case .coupled:
      token = sampler.sample(logits, row: row, counts: draft.counts, position: position, mask: next.mask)
    case .independent:
      let distribution = sampler.distribution(
        logits, row: row, counts: draft.counts, position: position, mask: next.mask)
      token = distribution.token(at: sampler.uniform(position: position, purpose: .draft))
      draft.proposal.distributions.append(distribution)
    }
    guard token < vocabularySize else {
      // A padding id of the draft's own: nothing that the target could confirm.
      draft.proposal.distributions.removeLast(sampling == .independent ? 1 : 0)
      draft.isComplete = true
      return
    }
    draft.proposal.tokens.append(token)
    if costs.isKnown {
      let temperature = Float(max(sampler.parameters.temperature, 1))
      draft.proposal.confidences.append(
        Double(logits.probability(of: Int(token), row: row, temperature: temperature)))
    }
    draft.counts.append(token)
    draft.constraint?.advance(by: token)
    draft.isComplete = draft.proposal.tokens.count >= draft.context.window
  }
}
