/// One sequence's rows in an attention step.
package struct AttentionSlice: Sendable {
  package var firstRow: Int
  package var rowCount: Int
  /// Position of the first row in the sequence.
  package var firstPosition: Int
  /// Position `p` lives in `blocks[p / KVStorage.blockSize]`.
  package var blocks: [Int32]

  package init(firstRow: Int, rowCount: Int, firstPosition: Int, blocks: [Int32]) {
    self.firstRow = firstRow
    self.rowCount = rowCount
    self.firstPosition = firstPosition
    self.blocks = blocks
  }
}

/// Which positions the rows of a slice see.
package enum AttentionSight: Sendable, Equatable {
  /// Those up to the row's own, but for so many at the beginning that no later row sees; a row among them sees itself alone.
  /// With a window so many of them at most, the row's own included.
  case causal(skipping: Int = 0, window: Int? = nil)
  /// Of those before the slice the last `window`, or all; and all of the slice, or of it those up to the row's own.
  case block(window: Int? = nil, isCausal: Bool = false)
  /// Of those before the slice and of all of it the ones that are less than `window` positions before or after the row's own.
  case near(window: Int)

  func positions(of row: Int, in slice: AttentionSlice) -> Range<Int> {
    let own = slice.firstPosition + row
    switch self {
    case .causal(let skipped, let window):
      let first = window.map { max(0, own + 1 - $0) } ?? 0
      return max(first, min(skipped, own))..<own + 1
    case .block(let window, let isCausal):
      let first = window.map { max(0, slice.firstPosition - $0) } ?? 0
      return first..<(isCausal ? own + 1 : slice.firstPosition + slice.rowCount)
    case .near(let window):
      let end = slice.firstPosition + slice.rowCount
      return max(0, own + 1 - window)..<(end - own < window ? end : own + window)
    }
  }

  /// How many positions are seen at most, in each direction; `nil` for all.
  package var window: Int? {
    switch self {
    case .causal(_, let window), .block(let window, _): window
    case .near(let window): window
    }
  }
}
