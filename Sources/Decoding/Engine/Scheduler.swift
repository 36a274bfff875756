package import Tokenization
package import Transformer

/// Decides which rows the next pass computes. A value without I/O, tensors or clocks.
///
/// One idea runs it: each request's count of computed positions chases its count of known tokens. A long way behind is
/// prefill, one behind is decoding, proposals are rows past the known tokens, a rejection or a preemption is a
/// subtraction.
package struct Scheduler: Sendable {
  /// Bounds of one pass.
  package struct Limits: Sendable, Equatable {
    /// Most rows in one pass (`max_num_batched_tokens`).
    package var rows: Int
    /// Most rows of one pass that ask for logits.
    package var logitRows: Int
    /// Most requests in one pass (`max_num_seqs`).
    package var sequences: Int
    /// Longest sequence, prompt and output (`max_model_len`).
    package var positions: Int
    /// Whether requests that begin alike share KV blocks (`enable_prefix_caching`).
    package var sharesPrefixes = false

    /// Limits; every one is at least 1.
    package init(rows: Int, logitRows: Int, sequences: Int, positions: Int, sharesPrefixes: Bool = false) {
      self.sharesPrefixes = sharesPrefixes
      self.rows = rows
      self.logitRows = logitRows
      self.sequences = sequences
      self.positions = positions
    }
  }

  /// One request's share of the next pass.
  package struct Share: Sendable, Equatable {
    /// Whose rows.
    package let request: RequestID
    /// Known positions to compute.
    package let positions: Range<Int>
    /// Whether they reach the last known token, so that the next one can be decided.
    package let reachesEnd: Bool
    /// How many of the last of `positions` want logits.
    package let logitCount: Int
    /// Most proposals that may follow the known tokens.
    package let window: Int
    /// Where the sequence's recurrent state is read from and kept, for all rows up to the window's last; `nil` where
    /// sequences have none.
    package var states: StatePlan?
  }

  /// A request that has KV blocks.
  struct Running: Sendable, Equatable {
    let request: RequestID
    /// Tokens of prompt and output.
    var known: Int
    /// Positions whose keys and values are in the cache.
    var computed = 0
    /// Tokens that it may still generate.
    var remaining: Int
    /// The first this many positions want logits each, whoever decodes.
    var scored = 0
    /// What it is for that is not to be gone on with.
    var pooling: Pooling?
    var priority = 0
    var table = BlockTable()
    var state = SequenceState()

    var pending: Int { known - computed }
  }

  /// A request that waits for admission, or again after a preemption.
  struct Waiting: Sendable, Equatable {
    let request: RequestID
    let known: Int
    let remaining: Int
    let scored: Int
    let pooling: Pooling?
    var priority: Int
    /// Requests submitted later that were admitted before it.
    var overtaken = 0
  }

  /// Requests of lower numbers that may overtake one that waits; then it is next whatever comes.
  static let mostOvertakings = 32

  let limits: Limits
  package private(set) var pool: BlockPool
  /// In order of admission.
  private(set) var running: [Running] = []
  /// In order of admission to come.
  private(set) var waiting: [Waiting] = []

  /// A scheduler over an empty cache.
  package init(limits: Limits, pool: BlockPool) {
    self.limits = limits
    self.pool = pool
  }

  /// Whether there is nothing to do.
  package var isIdle: Bool { running.isEmpty && waiting.isEmpty }
  /// Requests that wait for admission.
  package var waitingCount: Int { waiting.count }
  /// Requests that hold KV blocks.
  package var runningCount: Int { running.count }
  /// Requests that will run at a time once those that wait have been admitted.
  package var expectedCount: Int { min(limits.sequences, running.count + waiting.count) }
  /// How often a request had to give up its blocks.
  package private(set) var preemptionCount = 0
  /// Tokens that admitted requests knew.
  package private(set) var prefixQueries = 0
  /// How many of them were in the cache already.
  package private(set) var prefixHits = 0

  /// Queues a request that knows `known` tokens and may generate `remaining` more.
  ///
  /// - Parameters:
  ///   - scored: the first this many positions want logits, as prompt log-probabilities need them.
  ///   - pooling: what a request is for that generates nothing.
  ///   - priority: lower numbers are admitted first, but nobody is overtaken more than `mostOvertakings` times.
  package mutating func add(
    _ request: RequestID, known: Int, remaining: Int, scored: Int = 0, pooling: Pooling? = nil, priority: Int = 0
  ) {
    let place = waiting.firstIndex { $0.priority > priority } ?? waiting.count
    waiting.insert(
      Waiting(
        request: request, known: known, remaining: remaining, scored: scored, pooling: pooling, priority: priority),
      at: place)
  }

  /// Forgets a request and frees its blocks.
  package mutating func remove(_ request: RequestID) {
    waiting.removeAll { $0.request == request }
    guard let index = running.firstIndex(where: { $0.request == request }) else { return }
    release(at: index)
    running.remove(at: index)
  }

  /// Frees the blocks and state slots of a request.
  private mutating func release(at index: Int) {
    running[index].state.release(to: &pool)
    pool.truncate(&running[index].table, to: 0)
  }

  /// The KV blocks of a running request.
  package func blocks(of request: RequestID) -> [Int32] {
    running.first { $0.request == request }?.table.blocks ?? []
  }

  /// Where layers with a window have the KV blocks of a running request; empty where their memory is that of all layers.
  package func windowBlocks(of request: RequestID) -> [Int32] {
    running.first { $0.request == request }.map { pool.windowBlocks(of: $0.table) } ?? []
  }

  /// The shares of the next pass, with KV blocks reserved for each, window included.
  ///
  /// Requests that decode come before those that prefill, both in order of admission. Windows get the rows that prompts
  /// leave, a quarter of the pass at least: a first token is not to wait for guesses. When blocks run out, windows
  /// shrink to nothing first; then the request admitted last gives up its blocks and starts over later.
  ///
  /// - Parameters:
  ///   - window: how many proposals a decoding request would like.
  ///   - tokens: what a request knows; its beginning may be in the cache already.
  ///   - isHeld: whether a running request waits for something other than a pass.
  package mutating func schedule(
    window: (RequestID) -> Int, tokens: (RequestID) -> [TokenID] = { _ in [] },
    isHeld: (RequestID) -> Bool = { _ in false }
  ) -> [Share] {
    var pass = Pass(rows: limits.rows, logitRows: limits.logitRows, windowRows: rowsForWindows)
    let order = running.filter { $0.pending == 1 } + running.filter { $0.pending != 1 }
    for entry in order where !isHeld(entry.request) {
      // An earlier request of this pass may have taken its blocks.
      guard let index = running.firstIndex(where: { $0.request == entry.request }) else { continue }
      share(of: index, in: &pass, wishing: window(entry.request), preempts: true)
    }
    while let next = waiting.first, running.count < limits.sequences, pass.rows > 0, pass.logitRows > 0 {
      running.append(
        Running(
          request: next.request, known: next.known, remaining: next.remaining, scored: next.scored,
          pooling: next.pooling, priority: next.priority))
      let index = running.count - 1
      var hits = 0
      // Prompts whose logits or hidden states are wanted are computed in full.
      if limits.sharesPrefixes, next.scored == 0, next.pooling?.readsAllPositions != true {
        hits = pool.adopt(tokens(next.request), in: &running[index].table)
        running[index].computed = hits
        running[index].state.adopt(after: running[index].table, &pool)
      }
      guard share(of: index, in: &pass, wishing: window(next.request), preempts: false) else {
        release(at: index)
        running.removeLast()
        break
      }
      prefixQueries += next.known
      prefixHits += hits
      waiting.removeFirst()
      noteAdmission(of: next.request)
    }
    return pass.shares
  }

  /// Records that a share was computed and what it led to.
  ///
  /// - Parameters:
  ///   - accepted: proposals whose keys and values are now those of known tokens; −1 where the last of the share's
  ///     positions is to be computed once more, as nothing could be decided from it.
  ///   - appended: tokens that the answer grew by.
  ///   - tokens: what the request knows now.
  package mutating func commit(_ share: Share, accepted: Int = 0, appended: Int = 0, tokens: [TokenID] = []) {
    guard let index = running.firstIndex(where: { $0.request == share.request }) else { return }
    running[index].computed = share.positions.upperBound + accepted
    running[index].known += appended
    running[index].remaining -= appended
    pool.truncate(&running[index].table, to: running[index].computed)
    if limits.sharesPrefixes {
      pool.publish(&running[index].table, computed: running[index].computed, tokens: tokens)
    }
    pool.advance(&running[index].table, to: running[index].computed)
    running[index].state.commit(
      at: running[index].computed, from: share.positions.lowerBound, in: running[index].table, &pool)
  }

  /// Counts those that the admitted request has overtaken, and brings to the head who was overtaken often enough.
  private mutating func noteAdmission(of request: RequestID) {
    var aged: [Waiting] = []
    for index in waiting.indices where waiting[index].request < request && waiting[index].priority > .min {
      waiting[index].overtaken += 1
      guard waiting[index].overtaken >= Self.mostOvertakings else { continue }
      waiting[index].priority = .min
      aged.append(waiting[index])
    }
    guard !aged.isEmpty else { return }
    waiting.removeAll { entry in aged.contains { $0.request == entry.request } }
    let place = waiting.firstIndex { $0.priority > .min } ?? waiting.count
    waiting.insert(contentsOf: aged, at: place)
  }

  private struct Pass {
    var rows: Int
    var logitRows: Int
    /// Rows that windows may still take.
    var windowRows: Int
    var shares: [Share] = []
  }

  /// Rows that known tokens leave in the next pass, those of requests to be admitted included.
  private var rowsForWindows: Int {
    let admitted = waiting.prefix(max(0, limits.sequences - running.count))
    let known = running.reduce(0) { $0 + $1.pending } + admitted.reduce(0) { $0 + $1.known }
    return max(limits.rows / 4, limits.rows - known)
  }

  /// Adds the share of `running[index]` to `pass`; returns whether there was room for it.
  @discardableResult
  private mutating func share(of index: Int, in pass: inout Pass, wishing wish: Int, preempts: Bool) -> Bool {
    let entry = running[index]
    let isScored = entry.computed < entry.scored
    let rows = min(entry.pending, pass.rows, isScored ? pass.logitRows : .max)
    guard rows > 0, pass.logitRows > 0 else { return false }
    let end = entry.computed + rows
    let reachesEnd = end == entry.known
    let logitCount = isScored ? rows : reachesEnd && entry.pooling?.wantsLogits != false ? 1 : 0
    var window = 0
    if reachesEnd {
      let room = min(
        pass.rows - rows, pass.windowRows, pass.logitRows - logitCount, limits.positions - 1 - entry.known,
        entry.remaining - 1)
      window = max(0, min(wish, room))
    }
    // A window takes blocks, and a state slot for each of its rows.
    if pool.reserve(end + window, in: &running[index].table) {
      window = running[index].state.reserve(rows: rows, window: window, reachesEnd: reachesEnd, &pool) ?? -1
    } else {
      window = -1
    }
    if window < 0 {
      window = 0
      while !pool.reserve(end, in: &running[index].table)
        || running[index].state.reserve(rows: rows, window: 0, reachesEnd: reachesEnd, &pool) == nil
      {
        guard preempts, preemptLast(after: index, in: &pass) else {
          if preempts { preempt(at: index) }
          return false
        }
      }
    }
    pass.rows -= rows + window
    pass.windowRows -= window
    pass.logitRows -= logitCount + window
    let states = running[index].state.plan(from: entry.computed, rows: rows, caches: limits.sharesPrefixes, &pool)
    pass.shares.append(
      Share(
        request: entry.request, positions: entry.computed..<end, reachesEnd: reachesEnd, logitCount: logitCount,
        window: window, states: states))
    return true
  }

  /// Takes the blocks of the request admitted last, if it was admitted after `running[index]`.
  private mutating func preemptLast(after index: Int, in pass: inout Pass) -> Bool {
    let last = running.count - 1
    guard last > index else { return false }
    let victim = running[last].request
    if let taken = pass.shares.firstIndex(where: { $0.request == victim }) {
      let share = pass.shares.remove(at: taken)
      pass.rows += share.positions.count + share.window
      pass.windowRows += share.window
      pass.logitRows += share.logitCount + share.window
    }
    preempt(at: last)
    return true
  }

  /// Sends a running request back to the head of the queue, without its blocks.
  private mutating func preempt(at index: Int) {
    release(at: index)
    let entry = running.remove(at: index)
    preemptionCount += 1
    let place = waiting.firstIndex { $0.priority >= entry.priority } ?? waiting.count
    waiting.insert(
      Waiting(
        request: entry.request, known: entry.known, remaining: entry.remaining, scored: entry.scored,
        pooling: entry.pooling, priority: entry.priority), at: place)
  }
}
