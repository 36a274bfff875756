internal import Transformer

/// The recurrent state of one sequence: the slot that it is in, and those in which a pass keeps what it may become.
///
/// A state cannot be cut back. A pass therefore keeps one after the last known token and after every proposal; when it is
/// known how many stand, the state of the last of them is the sequence's, and the others are given back. States at block
/// borders stay for the prefix cache.
struct SequenceState: Sendable, Equatable {
  /// The slot with the state after all computed positions; `nil` at the beginning, or where sequences have no states.
  private var slot: Int32?
  /// Whether the slot is the prefix cache's.
  private var isPinned = false
  /// What the pass under way keeps, by row of its share.
  private var kept: [StatePlan.Kept] = []

  /// Slots without which not even one sequence can go on: where it stands, and two that a share keeps.
  static let leastSlots = 3

  init() {}

  /// Goes on from the state that belongs to the end of an adopted `table`.
  mutating func adopt(after table: BlockTable, _ pool: inout BlockPool) {
    slot = pool.pinState(after: table)
    isPinned = slot != nil
  }

  /// Takes the slots that a share needs: after its last known row, after each row of the window, and after the row before
  /// its last, as that may have to be computed once more.
  ///
  /// - Returns: the window that there are slots for; `nil` when there are too few without any.
  mutating func reserve(rows: Int, window: Int, reachesEnd: Bool, _ pool: inout BlockPool) -> Int? {
    guard pool.stateSlots > 0 else { return window }
    let first = reachesEnd && rows > 1 ? rows - 2 : rows - 1
    var taken: [StatePlan.Kept] = []
    for row in first..<rows + window {
      guard let slot = pool.takeState() else { break }
      taken.append(StatePlan.Kept(row: row, slot: slot))
    }
    guard first + taken.count >= rows else {
      for entry in taken { pool.releaseState(entry.slot) }
      return nil
    }
    kept = taken
    return first + taken.count - rows
  }

  /// What the pass is told; one more state is kept where the share crosses the border of a block, if there is room.
  mutating func plan(from first: Int, rows: Int, caches: Bool, _ pool: inout BlockPool) -> StatePlan? {
    guard pool.stateSlots > 0 else { return nil }
    let border = (first + rows) / pool.blockSize * pool.blockSize
    if caches, border > first, !kept.contains(where: { first + $0.row + 1 == border }), let slot = pool.takeState() {
      kept.insert(StatePlan.Kept(row: border - first - 1, slot: slot), at: 0)
    }
    return StatePlan(start: slot, kept: kept)
  }

  /// Takes over the state after `computed` positions of a pass that began at `first`, and gives the others back.
  mutating func commit(at computed: Int, from first: Int, in table: BlockTable, _ pool: inout BlockPool) {
    guard pool.stateSlots > 0, computed != first else { return releaseKept(to: &pool) }
    if let slot { isPinned ? pool.unpinState(slot) : pool.keepState(slot, after: first, in: table) }
    (slot, isPinned) = (nil, false)
    for entry in kept {
      let end = first + entry.row + 1
      if end == computed {
        slot = entry.slot
      } else if end < computed {
        pool.keepState(entry.slot, after: end, in: table)
      } else {
        pool.releaseState(entry.slot)
      }
    }
    kept = []
  }

  /// Gives everything back.
  mutating func release(to pool: inout BlockPool) {
    releaseKept(to: &pool)
    if let slot { isPinned ? pool.unpinState(slot) : pool.releaseState(slot) }
    (slot, isPinned) = (nil, false)
  }

  private mutating func releaseKept(to pool: inout BlockPool) {
    for entry in kept { pool.releaseState(entry.slot) }
    kept = []
  }
}

extension StatePlan {
  /// The plan for a share that brings only `rows` rows.
  func keeping(rows: Int) -> StatePlan { StatePlan(start: start, kept: kept.filter { $0.row < rows }) }
}
