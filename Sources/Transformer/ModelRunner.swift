public import Tensor

/// A model on a device: it owns the weights and the sequences' memory, and runs a `Pass`.
///
/// This is the seam for other hardware and other architectures. Nothing above it knows where weights, keys and values or
/// recurrent states live.
/// A runner is used from one thread at a time.
public protocol ModelRunner: AnyObject {
  /// Number of logits per row.
  var vocabularySize: Int { get }
  /// What one pass and the K/V memory can hold.
  var capacity: RunnerCapacity { get }
  /// Memory by owner.
  var memory: RunnerMemory { get }
  /// A name of the weights in their format by which to remember what their passes cost; `nil` where there is none.
  var cacheKey: String? { get }
  /// Which tokens it can choose itself.
  var choosing: TokenChoosing { get }
  /// Runs the model over the rows of `pass`, writing their keys and values into the sequences' blocks and their states
  /// into the slots that are named for them.
  ///
  /// What is computed of a row depends on its own sequence only, bit for bit, whatever else is in the batch and whatever
  /// else is asked for.
  ///
  /// - Throws: `RunnerError` when the pass exceeds `capacity` or names a token, block, slot or layer that does not exist.
  func run(_ pass: Pass) throws(RunnerError) -> PassResult
}

extension ModelRunner {
  /// None: a runner need not choose.
  public var choosing: TokenChoosing { .none }

  /// The logits of a pass over `batch`: row `i` belongs to `batch.logitRows[i]`.
  public func logits(of batch: Batch) throws(RunnerError) -> Activations {
    guard let logits = try run(Pass(batch)).logits else {
      throw RunnerError(description: "the runner gave no logits")
    }
    return logits
  }
}

/// The bounds within which a `Batch` must stay.
public struct RunnerCapacity: Sendable, Equatable {
  /// Most rows in one pass.
  public var rows: Int
  /// Most rows of one pass that can ask for logits.
  public var logitRows: Int
  /// Number of KV blocks, shared by all sequences.
  public var blockCount: Int
  /// Positions per KV block.
  public var blockSize: Int
  /// Longest sequence, in positions.
  public var positions: Int
  /// Slots for recurrent states, shared by all sequences; 0 for a model without recurrent layers, else at least 3. A
  /// sequence that verifies `n` proposals takes `n + 3`; those that nobody needs serve the prefix cache.
  public var stateSlots: Int
  /// The blocks of layers with a window, where those have some of their own; `nil` where all layers have the same.
  public var windows: WindowCapacity?
  /// Layers whose residual streams can be tapped (`Taps.layers`).
  public var taps: Range<Int>
  /// Whether last hidden states can be had (`Pass.hiddenRows`).
  public var givesHiddenStates: Bool
  /// The experts that passes choose from; `nil` for models without any.
  public var experts: ExpertLayout?

  /// Bounds by name.
  public init(
    rows: Int, logitRows: Int, blockCount: Int, blockSize: Int, positions: Int, stateSlots: Int = 0,
    windows: WindowCapacity? = nil, taps: Range<Int> = 0..<0, givesHiddenStates: Bool = false,
    experts: ExpertLayout? = nil
  ) {
    self.rows = rows
    self.logitRows = logitRows
    self.blockCount = blockCount
    self.blockSize = blockSize
    self.positions = positions
    self.stateSlots = stateSlots
    self.windows = windows
    self.taps = taps
    self.givesHiddenStates = givesHiddenStates
    self.experts = experts
  }
}

/// The KV blocks of layers that have a window.
public struct WindowCapacity: Sendable, Equatable {
  /// Positions that a row of such a layer sees, its own included; the most of any layer.
  public var window: Int
  /// Number of blocks, shared by all sequences; each is as long as the others.
  public var blockCount: Int

  /// Blocks of layers of which no row sees more than `window` positions.
  public init(window: Int, blockCount: Int) { (self.window, self.blockCount) = (window, blockCount) }
}

extension RunnerCapacity {
  /// The states of a pass that is measured: from any state where sequences have some, one kept after each of the last
  /// `count` rows as far as there are slots, as verification does.
  package func measuredStates(from position: Int, rows: Int, keeping count: Int) -> StatePlan? {
    guard stateSlots > 0 else { return nil }
    let kept = min(count, rows, stateSlots - 1)
    return StatePlan(
      start: position > 0 ? 0 : nil,
      kept: (0..<kept).map { StatePlan.Kept(row: rows - kept + $0, slot: Int32($0 + 1)) })
  }
}

/// A batch that a runner cannot run.
public struct RunnerError: Error, Sendable, CustomStringConvertible {
  /// One sentence: what was asked, and what the limit is.
  public let description: String

  /// An error with its sentence.
  public init(description: String) { self.description = description }
}

/// Memory that a runner holds, in bytes.
public struct RunnerMemory: Sendable, Equatable {
  /// The weights.
  public let packedWeights: Int
  /// The output head's part of them; 0 where it is not told apart.
  public let packedHead: Int
  /// The experts' part of them, of which a pass reads some.
  public let packedExperts: Int
  /// K/V memory at full use; on a CPU, blocks never touched are not resident.
  public let keyValueCache: Int
  /// Recurrent states at full use, as far as slots were written; 0 for a model without recurrent layers.
  public let states: Int

  /// Memory by owner.
  public init(
    packedWeights: Int, packedHead: Int = 0, packedExperts: Int = 0, keyValueCache: Int, states: Int = 0
  ) {
    (self.packedWeights, self.packedHead, self.packedExperts) = (packedWeights, packedHead, packedExperts)
    (self.keyValueCache, self.states) = (keyValueCache, states)
  }
}

extension SequenceSlice {
  /// Checks the blocks of layers with a window, as far as rows see them.
  fileprivate func check(against windows: WindowCapacity, blockSize: Int) throws(RunnerError) {
    let seen = max(0, firstPosition + 1 - windows.window)..<firstPosition + rowCount
    guard windowBlocks.count * blockSize >= seen.upperBound else {
      throw RunnerError(
        description:
          "a sequence reaches position \(seen.upperBound); its \(windowBlocks.count) blocks of \(blockSize) for layers with a window do not"
      )
    }
    guard !seen.isEmpty else { return }
    for block in windowBlocks[seen.lowerBound / blockSize...(seen.upperBound - 1) / blockSize]
    where block < 0 || block >= windows.blockCount {
      throw RunnerError(
        description: "KV block \(block) of layers with a window does not exist; there are \(windows.blockCount)")
    }
  }
}

extension Batch {
  /// Checks every index of the batch against what a runner has.
  package func check(against capacity: RunnerCapacity, vocabularySize: Int) throws(RunnerError) {
    guard rowCount > 0, rowCount <= capacity.rows else {
      throw RunnerError(description: "a pass over \(rowCount) rows; this runner takes 1 to \(capacity.rows)")
    }
    guard logitRows.count <= capacity.logitRows else {
      throw RunnerError(
        description: "logits asked for \(logitRows.count) rows; this runner gives at most \(capacity.logitRows)")
    }
    for token in tokens where token < 0 || token >= vocabularySize {
      throw RunnerError(description: "token id \(token) is outside the vocabulary of \(vocabularySize)")
    }
    for slice in slices {
      let end = slice.firstPosition + slice.rowCount
      guard end <= capacity.positions, slice.blocks.count * capacity.blockSize >= end else {
        throw RunnerError(
          description:
            "a sequence reaches position \(end); its \(slice.blocks.count) blocks of \(capacity.blockSize) and the limit of \(capacity.positions) do not"
        )
      }
      for block in slice.blocks where block < 0 || block >= capacity.blockCount {
        throw RunnerError(description: "KV block \(block) does not exist; there are \(capacity.blockCount)")
      }
      if let windows = capacity.windows { try slice.check(against: windows, blockSize: capacity.blockSize) }
      try check(slice.states, of: slice, stateSlots: capacity.stateSlots)
    }
    try checkStates()
  }

  /// Checks that what is kept of states overwrites nothing that the same pass reads or keeps.
  private func checkStates() throws(RunnerError) {
    let kept = slices.flatMap { $0.states?.kept.map(\.slot) ?? [] }
    guard !kept.isEmpty else { return }
    var taken = Set(slices.compactMap { $0.states?.start })
    for slot in kept where !taken.insert(slot).inserted {
      throw RunnerError(description: "state slot \(slot) is to be overwritten in a pass that needs it")
    }
  }

  private func check(_ states: StatePlan?, of slice: SequenceSlice, stateSlots: Int) throws(RunnerError) {
    guard let states else {
      guard stateSlots == 0 else { throw RunnerError(description: "a sequence has no plan for its recurrent state") }
      return
    }
    guard (states.start == nil) == (slice.firstPosition == 0) else {
      throw RunnerError(
        description:
          "a sequence goes on at position \(slice.firstPosition) \(states.start == nil ? "without" : "from") a state")
    }
    for slot in [states.start].compactMap({ $0 }) + states.kept.map(\.slot) where slot < 0 || slot >= stateSlots {
      throw RunnerError(description: "state slot \(slot) does not exist; there are \(stateSlots)")
    }
    for kept in states.kept where kept.row < 0 || kept.row >= slice.rowCount {
      throw RunnerError(
        description: "the state after row \(kept.row) is to be kept; the sequence brings \(slice.rowCount)")
    }
    guard Set(states.kept.map(\.row)).count == states.kept.count else {
      throw RunnerError(description: "the state after one row is to be kept twice")
    }
  }
}
