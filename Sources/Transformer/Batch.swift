/// The token rows of one forward pass: plain data, so that any backend can serve it.
///
/// Rows are grouped by sequence. A sequence's rows are consecutive positions; it may bring one row (plain decoding),
/// a few (verification of proposals) or many (prefill), and one batch may mix all three.
public struct Batch: Sendable, Equatable {
  /// Token ids, one per row.
  public private(set) var tokens: [Int32] = []
  /// The sequences' shares of the rows, in row order.
  public private(set) var slices: [SequenceSlice] = []
  /// Rows whose logits are wanted, ascending.
  public private(set) var logitRows: [Int] = []

  /// A batch without rows.
  public init() {}

  /// Number of rows.
  public var rowCount: Int { tokens.count }

  /// Position of each row within its sequence.
  public var positions: [Int32] {
    slices.flatMap { slice in (0..<slice.rowCount).map { Int32(slice.firstPosition + $0) } }
  }

  /// Appends consecutive positions of one sequence.
  ///
  /// - Parameters:
  ///   - tokens: token ids of the positions from `firstPosition` on.
  ///   - firstPosition: position of the first of them; everything before it is in the KV cache already.
  ///   - blocks: the sequence's KV blocks, covering every position up to the last of `tokens`.
  ///   - logitCount: how many of the last rows want logits.
  ///   - windowBlocks: the same for layers with a window, where those have blocks of their own; of blocks of which no row sees
  ///     anything −1.
  ///   - states: where the sequence's recurrent state is read from and kept, for models that have one.
  /// - Returns: indices into the resulting logits, one for each of the last `logitCount` rows.
  @discardableResult
  public mutating func append(
    _ tokens: some Collection<Int32>, at firstPosition: Int, blocks: [Int32], logitCount: Int,
    windowBlocks: [Int32] = [], states: StatePlan? = nil
  ) -> Range<Int> {
    precondition(logitCount <= tokens.count && firstPosition >= 0)
    let firstRow = rowCount
    self.tokens.append(contentsOf: tokens)
    slices.append(
      SequenceSlice(
        firstRow: firstRow, rowCount: tokens.count, firstPosition: firstPosition, blocks: blocks,
        windowBlocks: windowBlocks, states: states))
    let firstLogit = logitRows.count
    logitRows.append(contentsOf: rowCount - logitCount..<rowCount)
    return firstLogit..<logitRows.count
  }
}

/// One sequence's share of a `Batch`.
public struct SequenceSlice: Sendable, Equatable {
  /// Index of its first row in the batch.
  public let firstRow: Int
  /// Number of its rows.
  public let rowCount: Int
  /// Position of the first row within the sequence.
  public let firstPosition: Int
  /// The sequence's KV blocks: position `p` lives in `blocks[p / blockSize]`.
  public let blocks: [Int32]
  /// The same for layers with a window, where those have blocks of their own (`RunnerCapacity.windows`); −1 where no row
  /// sees anything any more.
  public let windowBlocks: [Int32]
  /// Its recurrent state, for models that have one.
  public let states: StatePlan?
}

/// Where a sequence's recurrent state is read from in a pass, and where it is kept.
///
/// A state belongs to one position and cannot be cut back as keys and values can, so a pass that verifies proposals keeps
/// one after every row that may turn out to be the last that stands.
public struct StatePlan: Sendable, Equatable {
  /// The slot with the state before the first row; `nil` where the sequence begins.
  public var start: Int32?
  /// States to keep, rows ascending.
  public var kept: [Kept]

  /// A state to keep.
  public struct Kept: Sendable, Equatable {
    /// Row within the sequence's slice after which the state is taken.
    public var row: Int
    /// Where it goes.
    public var slot: Int32

    /// The state after `row`, into `slot`.
    public init(row: Int, slot: Int32) { (self.row, self.slot) = (row, slot) }
  }

  /// A plan from the state in `start`.
  public init(start: Int32? = nil, kept: [Kept] = []) { (self.start, self.kept) = (start, kept) }
}
