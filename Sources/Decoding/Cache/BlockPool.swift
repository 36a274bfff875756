/// The free KV blocks of a runner.
///
/// A block belongs to one sequence at a time; the pool only keeps count, the runner keeps the memory.
public struct BlockPool: Sendable, Equatable {
  /// Number of blocks in all.
  public let capacity: Int
  /// Positions per block.
  public let blockSize: Int
  /// Free blocks; the last is handed out next.
  private var free: [Int32]

  /// A pool of blocks `0..<capacity`, all free.
  public init(capacity: Int, blockSize: Int) {
    self.capacity = capacity
    self.blockSize = blockSize
    free = (0..<Int32(capacity)).reversed()
  }

  /// Blocks that nobody has.
  public var freeCount: Int { free.count }
  /// Share of the blocks in use, 0 to 1.
  public var usage: Double { capacity == 0 ? 0 : 1 - Double(freeCount) / Double(capacity) }

  /// Lengthens `table` so that it covers `positions` positions; takes nothing when there are not enough blocks.
  ///
  /// - Returns: whether the table now covers them.
  public mutating func reserve(_ positions: Int, in table: inout BlockTable) -> Bool {
    let missing = (positions + blockSize - 1) / blockSize - table.blocks.count
    guard missing > 0 else { return true }
    guard missing <= free.count else { return false }
    for _ in 0..<missing { table.blocks.append(free.removeLast()) }
    return true
  }

  /// Takes back every block of `table` that lies wholly past the first `positions` positions.
  public mutating func truncate(_ table: inout BlockTable, to positions: Int) {
    let kept = (positions + blockSize - 1) / blockSize
    while table.blocks.count > kept { free.append(table.blocks.removeLast()) }
  }
}

/// The KV blocks of one sequence, in the order of its positions.
public struct BlockTable: Sendable, Equatable {
  /// Position `p` lives in `blocks[p / blockSize]`.
  public fileprivate(set) var blocks: [Int32] = []

  /// A table that covers nothing.
  public init() {}
}
