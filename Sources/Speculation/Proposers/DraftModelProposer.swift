public import Decoding
internal import Tensor
package import Tokenization
public import Transformer

/// Proposes what a small model of the same vocabulary would write.
///
/// The draft keeps its keys and values in blocks parallel to the target's, where its computed positions chase the known
/// tokens; a rejected proposal is written over. Requests are drafted together, one pass per proposed position.
public final class DraftModelProposer: DraftSource {
  /// How the draft chooses its tokens (`draft_sample_method`).
  public enum Sampling: Sendable {
    /// With the target's own noise, so that it guesses the target's draw.
    case coupled
    /// With noise of its own, and its distribution kept, as verification by rejection needs it.
    case independent
  }

  /// Rows up to which a draft's passes are to be timed at least: what reading a sequence takes shows where arithmetic limits
  /// a pass.
  package static let readingRows = 64

  private let runner: any ModelRunner
  /// Token ids that the target has; the draft's vocabulary may be padded further.
  private let vocabularySize: Int
  private let sampling: Sampling
  /// Whether what it computes of proposals stands where they are accepted.
  private let keepsDrafted: Bool
  package let origin: TokenOrigin
  private var blocks: ParallelBlocks
  private var memos: [RequestID: ParallelBlocks.Memo] = [:]
  /// What passes of the draft cost, at the pace at which those of the target were measured.
  package private(set) var costs: PassCosts

  /// Seconds that passes of the draft have taken so far.
  public private(set) var passSeconds = 0.0

  /// A proposer around the draft `runner`, whose token ids mean what the target's mean, and which has as many KV blocks.
  ///
  /// - Parameters:
  ///   - vocabularySize: number of the target's token ids.
  ///   - sampling: how tokens are chosen.
  ///   - costs: what passes of `runner` cost; where they are known, proposals carry their probabilities.
  public convenience init(
    runner: any ModelRunner, vocabularySize: Int, sampling: Sampling = .coupled, costs: PassCosts = PassCosts()
  ) {
    self.init(
      runner: runner, vocabularySize: vocabularySize, sampling: sampling, costs: costs, origin: .draftModel,
      keepsDrafted: true)
  }

  /// - Parameters:
  ///   - origin: as whose its proposals count.
  ///   - keepsDrafted: whether the keys and values of a proposal are those of a known token in its place.
  init(
    runner: any ModelRunner, vocabularySize: Int, sampling: Sampling, costs: PassCosts, origin: TokenOrigin,
    keepsDrafted: Bool
  ) {
    self.runner = runner
    (self.origin, self.keepsDrafted) = (origin, keepsDrafted)
    self.vocabularySize = vocabularySize
    self.sampling = sampling
    self.costs = costs
    blocks = ParallelBlocks(count: runner.capacity.blockCount, blockSize: runner.capacity.blockSize)
  }

  /// How tokens are chosen.
  private var choice: Draft.Choice {
    Draft.Choice(sampling: sampling, vocabularySize: vocabularySize, isConfident: costs.isKnown)
  }

  /// Forgets what was found of the request; its blocks are the target's to free.
  public func forget(_ request: RequestID) { memos[request] = nil }

  /// Forgets what its blocks hold: another has used the runner.
  package func reset() {
    blocks = ParallelBlocks(count: runner.capacity.blockCount, blockSize: runner.capacity.blockSize)
    memos = [:]
  }

  /// What the draft would write; nothing for a request that is too long for it.
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
    var proposals = contexts.map { _ in Proposal(origin: origin) }
    // Rows of logits bound how many requests one pass can serve.
    for first in stride(from: 0, to: contexts.count, by: runner.capacity.logitRows) {
      let group = first..<min(first + runner.capacity.logitRows, contexts.count)
      var drafts: [Draft] = []
      let shared = Self.sharedBlocks(of: contexts[group])
      for index in group {
        let context = contexts[index]
        guard let computed = try prepare(context, rows: runner.capacity.rows / group.count, shared: shared) else {
          continue
        }
        drafts.append(Draft(context, index: index, computed: computed, proposal: proposals[index]))
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
    max(0, context.tokens.count - 1 - computed(of: context))
  }

  /// Reads known tokens until at most `rows` are left, the last one among them.
  ///
  /// - Returns: how many are read; `nil` where the draft cannot go on from there.
  package func read(_ context: ProposalContext, leaving rows: Int) throws -> Int? { try prepare(context, rows: rows) }

  /// Notes that keys and values of the known tokens from `first` on, and of `drafted` after them, were computed elsewhere.
  package func note(_ drafted: [TokenID], computedFor context: ProposalContext, from first: Int) {
    blocks.note(context.tokens[first...] + (keepsDrafted ? drafted : []), at: first, in: context.blocks)
  }

  /// Blocks of which more than one of `contexts` needs the keys and values.
  private static func sharedBlocks(of contexts: ArraySlice<ProposalContext>) -> Set<Int32> {
    guard contexts.count > 1 else { return [] }
    var (seen, shared) = (Set<Int32>(), Set<Int32>())
    for block in contexts.lazy.flatMap(\.blocks) where !seen.insert(block).inserted { shared.insert(block) }
    return shared
  }

  /// Known tokens whose keys and values are there, the last one not counted.
  private func computed(of context: ProposalContext) -> Int {
    let found = blocks.computed(
      context.tokens, settled: context.tokens.count - context.foreseenCount, in: context.blocks,
      &memos[context.request, default: ParallelBlocks.Memo()])
    return min(found, context.tokens.count - 1)
  }

  /// Reads all but the last `rows` known tokens, and those that others wait for.
  ///
  /// - Parameter shared: blocks that other requests need as well: what is in them is read now, once for all.
  /// - Returns: the positions that are computed; `nil` where the draft is too short for the request, or lacks one of its
  ///   tokens.
  private func prepare(_ context: ProposalContext, rows: Int, shared: Set<Int32> = []) throws -> Int? {
    let (known, end) = (context.tokens.count, context.tokens.count + context.window)
    var computed = computed(of: context)
    guard end <= runner.capacity.positions, end <= context.blocks.count * runner.capacity.blockSize + 1,
      context.blocks.allSatisfy({ $0 < runner.capacity.blockCount }),
      context.tokens[computed...].allSatisfy({ $0 < runner.vocabularySize })
    else { return nil }
    let common = min(
      context.blocks.prefix { shared.contains($0) }.count * runner.capacity.blockSize, known - 1)
    // What follows a token that is only foreseen goes on from the draft's own output, one token after the other.
    let last = keepsDrafted || context.foreseenCount == 0 ? known - 1 : known - context.foreseenCount - 1
    let left = last < known - 1 ? 1 : max(rows, 1)
    while known - computed > left || computed < common {
      let end = computed >= last ? computed + 1 : min(known - computed > left ? known - 1 : common, last)
      let count = min(runner.capacity.rows, end - computed)
      try read(count, of: context, at: computed, recycling: computed >= last && last < known - 1)
      computed += count
    }
    return computed
  }

  /// Computes keys and values of known tokens.
  ///
  /// - Parameter recycles: whether the output is what the token after them goes on from.
  private func read(_ count: Int, of context: ProposalContext, at first: Int, recycling recycles: Bool) throws {
    let next = context.tokens[first..<first + count]
    var batch = Batch()
    batch.append(next, at: first, blocks: context.blocks, logitCount: recycles ? 1 : 0)
    let started = ContinuousClock.now
    _ = try runner.run(Pass(batch))
    passSeconds += (ContinuousClock.now - started) / .seconds(1)
    if stands(first, in: context) { blocks.note(next, at: first, in: context.blocks) }
  }

  /// Whether what is computed at a position stays right when the token there turns out to be what it seems to be.
  private func stands(_ position: Int, in context: ProposalContext) -> Bool {
    keepsDrafted || position < context.tokens.count - context.foreseenCount
  }

  /// One pass that adds a token to each draft, and on the way reads what it has not read yet.
  ///
  /// - Parameter pace: what passes take at present, over what they took when costs were measured.
  private func extend(_ drafts: inout [Draft], pace: Double) throws {
    var batch = Batch()
    var rows: [Int] = []
    for index in drafts.indices {
      let (context, computed) = (drafts[index].context, drafts[index].computed)
      let next = drafts[index].proposal.tokens.last.map { [$0] } ?? Array(context.tokens[computed...])
      let row = batch.append(next, at: computed, blocks: context.blocks, logitCount: 1)
      rows.append(row.lowerBound)
      drafts[index].computed += next.count
    }
    let timer = PassTimer()
    let logits = try runner.logits(of: batch)
    passSeconds += timer.seconds
    // Only now: a pass that fails computes nothing.
    for (draft, slice) in zip(drafts, batch.slices) where stands(slice.firstPosition, in: draft.context) {
      blocks.note(
        batch.tokens[slice.firstRow..<slice.firstRow + slice.rowCount], at: slice.firstPosition,
        in: draft.context.blocks)
    }
    for (index, row) in rows.enumerated() { drafts[index].choose(logits, row: row, choice) }
    if batch.logitRows.count == batch.rowCount {
      costs.observe(rows: batch.rowCount, seconds: timer.seconds / pace, wasHeldUp: timer.wasHeldUp)
    }
  }
}
