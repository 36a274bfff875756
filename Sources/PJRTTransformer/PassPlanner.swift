package import Transformer

/// One run of a program: the arguments that a batch's rows become.
package struct StaticPass: Equatable {
  package let size: ProgramSize
  /// `[rows]`; rows without a token are zeros that write to the spare block.
  package var tokens, positions, slots: [Int32]
  /// `[lanes, context / block size]`.
  package var tables: [Int32]
  /// Rows whose logits are wanted, and where they go.
  package var wanted: [Wanted] = []
  /// Rows whose residual streams are wanted, and where they go.
  package var tapped: [Wanted] = []

  package struct Wanted: Equatable {
    package let row, place: Int
  }
}

/// Cuts a batch into passes of fixed sizes. Pure: it knows neither weights nor devices.
///
/// How far back a row's program looks depends on the row's position alone, so that a row is computed alike whatever it
/// shares a batch with; rows of different context lengths run one after the other.
package struct PassPlanner {
  /// Program sizes, but for the context, ascending by rows.
  package let buckets: [(lanes: Int, rowsPerLane: Int)]
  /// Context lengths, ascending; the last is that of the longest sequence.
  package let contexts: [Int]
  let blockSize: Int
  /// The block after the last, for rows that are not there.
  let spareBlock: Int32

  /// Context lengths below this one are not worth programs of their own, in positions.
  static let shortestContext = 256

  /// A planner.
  ///
  /// - Parameters:
  ///   - rowBuckets: rows of programs, ascending.
  ///   - sequences: sequences that decode at a time; as many lanes are made, rounded up to a power of two.
  ///   - positions: length of the longest sequence.
  package init(rowBuckets: [Int], sequences: Int, positions: Int, blockSize: Int, blockCount: Int) {
    var lanes = 1
    while lanes < sequences { lanes *= 2 }
    buckets = rowBuckets.map { rows in
      // Lanes divide the rows.
      var fitting = min(lanes, rows)
      while rows % fitting != 0 { fitting -= 1 }
      return (fitting, rows / fitting)
    }
    let longest = (positions + blockSize - 1) / blockSize * blockSize
    var contexts: [Int] = []
    var next = Self.shortestContext
    while next < longest {
      contexts.append(next)
      next *= 2
    }
    self.contexts = contexts + [longest]
    self.blockSize = blockSize
    spareBlock = Int32(blockCount)
  }

  /// All sizes that passes can have.
  package var sizes: [ProgramSize] {
    contexts.flatMap { context in
      buckets.map { ProgramSize(lanes: $0.lanes, rowsPerLane: $0.rowsPerLane, context: context) }
    }
  }

  /// Rows of one sequence that share a context length.
  private struct Run {
    let slice: SequenceSlice
    var rows: Range<Int>
  }

  /// The passes, in the order in which they must run.
  ///
  /// - Parameter tapped: rows of the batch whose residual streams are wanted.
  package func passes(for batch: Batch, tapped: [Int] = []) -> [StaticPass] {
    let places = (logits: Self.places(of: batch.logitRows), taps: Self.places(of: tapped))
    var passes: [StaticPass] = []
    var first = 0
    for context in contexts {
      var runs = batch.slices.compactMap { slice -> Run? in
        let positions = slice.firstPosition..<slice.firstPosition + slice.rowCount
        let within = positions.clamped(to: first..<context)
        guard !within.isEmpty else { return nil }
        let offset = slice.firstRow - slice.firstPosition
        return Run(slice: slice, rows: within.lowerBound + offset..<within.upperBound + offset)
      }
      while !runs.isEmpty { passes.append(takePass(&runs, context: context, batch, places)) }
      first = context
    }
    return passes
  }

  /// By row of a batch: where what is wanted of it goes.
  private typealias Places = (logits: [Int: Int], taps: [Int: Int])

  private static func places(of rows: [Int]) -> [Int: Int] {
    Dictionary(uniqueKeysWithValues: zip(rows, rows.indices))
  }

  /// Fills a program of the smallest size that takes all of `runs`, or else of the largest.
  private func takePass(_ runs: inout [Run], context: Int, _ batch: Batch, _ places: Places) -> StaticPass {
    let pending = runs
    let fitting = buckets.first { bucket in
      pending.reduce(0) { $0 + ($1.rows.count + bucket.rowsPerLane - 1) / bucket.rowsPerLane } <= bucket.lanes
    }
    let bucket = fitting ?? buckets[buckets.count - 1]
    let size = ProgramSize(lanes: bucket.lanes, rowsPerLane: bucket.rowsPerLane, context: context)
    let zeros = [Int32](repeating: 0, count: size.rows)
    let spareSlots = (0..<size.rows).map(spareSlot)
    var pass = StaticPass(
      size: size, tokens: zeros, positions: zeros, slots: spareSlots,
      tables: [Int32](repeating: spareBlock, count: size.lanes * context / blockSize))
    for lane in 0..<size.lanes {
      guard let run = runs.first else { break }
      let taken = run.rows.prefix(size.rowsPerLane)
      fill(&pass, lane: lane, run.slice, taken, batch, places)
      if taken.count == run.rows.count {
        runs.removeFirst()
      } else {
        runs[0].rows = taken.upperBound..<run.rows.upperBound
      }
    }
    return pass
  }

  /// Where what is kept of the positions before a pass's rows lies, `[rows]`; before the first position itself.
  func slotsBefore(_ pass: StaticPass) -> [Int32] {
    let width = pass.size.context / blockSize
    return pass.positions.indices.map { row in
      let lane = row / pass.size.rowsPerLane
      return slot(
        of: max(0, Int(pass.positions[row]) - 1), in: pass.tables[lane * width..<(lane + 1) * width])
    }
  }

  /// Where the keys and values of a position go.
  func slot(of position: Int, in blocks: some RandomAccessCollection<Int32>) -> Int32 {
    let (index, offset) = position.quotientAndRemainder(dividingBy: blockSize)
    return blocks[blocks.index(blocks.startIndex, offsetBy: index)] * Int32(blockSize) + Int32(offset)
  }

  /// Where those of a row go that is not there.
  func spareSlot(row: Int) -> Int32 { spareBlock * Int32(blockSize) + Int32(row % blockSize) }

  /// Writes a lane's blocks into tables of `context` positions.
  func fill(_ tables: inout [Int32], lane: Int, context: Int, _ blocks: [Int32]) {
    let width = context / blockSize
    for (index, block) in blocks.prefix(width).enumerated() { tables[lane * width + index] = block }
  }

  private func fill(
    _ pass: inout StaticPass, lane: Int, _ slice: SequenceSlice, _ rows: Range<Int>, _ batch: Batch,
    _ places: Places
  ) {
    fill(&pass.tables, lane: lane, context: pass.size.context, slice.blocks)
    for (index, row) in rows.enumerated() {
      let place = lane * pass.size.rowsPerLane + index
      let position = slice.firstPosition + row - slice.firstRow
      pass.tokens[place] = batch.tokens[row]
      pass.positions[place] = Int32(position)
      pass.slots[place] = slot(of: position, in: slice.blocks)
      if let logit = places.logits[row] { pass.wanted.append(StaticPass.Wanted(row: place, place: logit)) }
      if let tap = places.taps[row] { pass.tapped.append(StaticPass.Wanted(row: place, place: tap)) }
    }
  }
}
