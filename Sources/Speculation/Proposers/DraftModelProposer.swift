public import Decoding
internal import Tensor
public import Tokenization
public import Transformer

/// Proposes what a small model of the same vocabulary would write.
///
/// The draft has a KV cache of its own. Like the target's, it is a count of computed positions that chases the known
/// tokens; a rejected proposal is a subtraction. Requests are drafted together, one pass per proposed position.
public final class DraftModelProposer: Proposer {
  private let runner: any ModelRunner
  /// Token ids that the target has; the draft's vocabulary may be padded further.
  private let vocabularySize: Int
  private var pool: BlockPool
  private var caches: [RequestID: Cache] = [:]

  /// What the draft has computed of a request.
  private struct Cache {
    /// Tokens whose keys and values are in the cache, by position.
    var computed: [TokenID] = []
    var table = BlockTable()
  }

  /// A draft being written in this call.
  private struct Draft {
    let context: ProposalContext
    let index: Int
    var counts: TokenCounts
    var constraint: (any TokenConstraint)?
    var tokens: [TokenID] = []
    var isComplete = false
  }

  /// A proposer around the draft `runner`, whose token ids mean what the target's mean.
  ///
  /// - Parameter vocabularySize: number of the target's token ids.
  public init(runner: any ModelRunner, vocabularySize: Int) {
    self.runner = runner
    self.vocabularySize = vocabularySize
    pool = BlockPool(capacity: runner.capacity.blockCount, blockSize: runner.capacity.blockSize)
  }

  /// Frees the request's KV blocks.
  public func forget(_ request: RequestID) {
    guard var cache = caches.removeValue(forKey: request) else { return }
    pool.truncate(&cache.table, to: 0)
  }

  /// What the draft would write; nothing for a request that its KV cache has no room for.
  public func propose(for contexts: [ProposalContext]) throws -> [[TokenID]] {
    var proposals: [[TokenID]] = Array(repeating: [], count: contexts.count)
    // Rows of logits bound how many requests one pass can serve.
    for first in stride(from: 0, to: contexts.count, by: runner.capacity.logitRows) {
      let group = first..<min(first + runner.capacity.logitRows, contexts.count)
      var drafts: [Draft] = []
      for index in group where try prepare(contexts[index]) {
        let context = contexts[index]
        drafts.append(Draft(context: context, index: index, counts: context.counts, constraint: context.constraint))
      }
      while !drafts.isEmpty {
        try extend(&drafts)
        for draft in drafts { proposals[draft.index] = draft.tokens }
        drafts.removeAll(where: \.isComplete)
      }
    }
    return proposals
  }

  /// Brings the cache to one position before the end of the known tokens; `false` when it has no room for them.
  private func prepare(_ context: ProposalContext) throws -> Bool {
    var cache = caches[context.request] ?? Cache()
    defer { caches[context.request] = cache }
    let last = context.tokens.count - 1
    var common = min(cache.computed.count, last)
    while common > 0, !cache.computed[..<common].elementsEqual(context.tokens[..<common]) {
      // Only what was proposed last time can differ, so this ends after a few steps.
      common -= 1
    }
    cache.computed.removeLast(cache.computed.count - common)
    pool.truncate(&cache.table, to: common)
    guard context.tokens.count + context.window <= runner.capacity.positions,
      pool.reserve(context.tokens.count + context.window, in: &cache.table),
      context.tokens[common...].allSatisfy({ $0 < runner.vocabularySize })
    else { return false }
    while cache.computed.count < last {
      let next = context.tokens[cache.computed.count..<min(last, cache.computed.count + runner.capacity.rows)]
      var batch = Batch()
      batch.append(next, at: cache.computed.count, blocks: cache.table.blocks, logitCount: 0)
      _ = try runner.forward(batch)
      cache.computed += next
    }
    return true
  }

  /// One pass that adds a token to each draft.
  private func extend(_ drafts: inout [Draft]) throws {
    var batch = Batch()
    var rows: [Int] = []
    for draft in drafts {
      var cache = caches[draft.context.request] ?? Cache()
      let token = draft.tokens.last ?? draft.context.tokens[draft.context.tokens.count - 1]
      let row = batch.append([token], at: cache.computed.count, blocks: cache.table.blocks, logitCount: 1)
      rows.append(row.lowerBound)
      cache.computed.append(token)
      caches[draft.context.request] = cache
    }
    let logits = try runner.forward(batch)
    for (index, row) in rows.enumerated() {
      let position = drafts[index].context.outputPosition + drafts[index].tokens.count
      let token = drafts[index].context.sampler.sample(
        logits, row: row, counts: drafts[index].counts, position: position, mask: drafts[index].constraint?.mask)
      guard token < vocabularySize else {
        // A padding id of the draft's own: nothing that the target could confirm.
        drafts[index].isComplete = true
        continue
      }
      drafts[index].tokens.append(token)
      drafts[index].counts.append(token)
      drafts[index].constraint?.advance(by: token)
      drafts[index].isComplete = drafts[index].tokens.count >= drafts[index].context.window
    }
  }
}
