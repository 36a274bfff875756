import PJRTTransformer
import TestSupport
import Testing
import Transformer

@Suite struct PassPlannerTests {
  static let blockSize = 16

  func planner(_ rows: [Int], sequences: Int = 1, positions: Int = 1000, blocks: Int = 500) -> PassPlanner {
    PassPlanner(
      rowBuckets: rows, sequences: sequences, positions: positions, blockSize: Self.blockSize, blockCount: blocks)
  }

  @Test("there is a lane per sequence, as far as rows reach, and lanes divide the rows")
  func buckets() {
    func lanes(_ rows: Int, _ sequences: Int) -> [Int] {
      let bucket = planner([rows], sequences: sequences).buckets[0]
      return [bucket.lanes, bucket.rowsPerLane]
    }
    #expect(lanes(8, 1) == [1, 8] && lanes(8, 3) == [4, 2] && lanes(8, 30) == [8, 1])
    #expect(lanes(6, 3) == [3, 2] && lanes(7, 4) == [1, 7] && lanes(1, 4) == [1, 1])
  }

  @Test("context lengths double up to the longest sequence, whole blocks each")
  func contexts() {
    #expect(planner([8], positions: 40).contexts == [48])
    #expect(planner([8], positions: 256).contexts == [256])
    #expect(planner([8], positions: 1000).contexts == [256, 512, 1008])
    #expect(
      planner([1, 8], positions: 300).sizes.map { [$0.rows, $0.context] } == [
        [1, 256], [8, 256], [1, 304], [8, 304],
      ])
  }

  @Test("a prompt becomes passes of whole lanes; what is left over writes to the spare block")
  func prompt() throws {
    var batch = Batch()
    batch.append([11, 12, 13, 14, 15], at: 14, blocks: [7, 3], logitCount: 1)
    let passes = planner([4]).passes(for: batch)
    try #require(passes.count == 2)
    #expect(passes[0].tokens == [11, 12, 13, 14])
    #expect(passes[0].positions == [14, 15, 16, 17])
    #expect(passes[0].slots == [126, 127, 48, 49])
    #expect(passes[0].tables == [7, 3] + Array(repeating: 500, count: 14))
    #expect(passes[0].wanted.isEmpty)
    #expect(passes[1].tokens == [15, 0, 0, 0])
    #expect(passes[1].slots == [50, 8001, 8002, 8003])
    #expect(passes[1].wanted.map { [$0.row, $0.place] } == [[0, 0]])
  }

  @Test("with several sizes the smallest that takes everything is used, and of those too small the largest")
  func choice() {
    func rows(_ counts: [Int]) -> [Int] {
      var batch = Batch()
      for (index, count) in counts.enumerated() {
        batch.append(
          Array(repeating: 1, count: count), at: 0, blocks: [Int32(2 * index), Int32(2 * index + 1)], logitCount: 0)
      }
      return planner([2, 8, 16], sequences: 2).passes(for: batch).map(\.size.rows)
    }
    #expect(rows([1]) == [2] && rows([1, 1]) == [2] && rows([2]) == [2] && rows([3]) == [8])
    #expect(rows([4, 4]) == [8] && rows([8, 8]) == [16] && rows([20]) == [16, 8])
  }

  /// What a pass computes, row by row: by sequence and position, the token, the slot, the table and the logit.
  struct Row: Hashable {
    let token, slot: Int32
    let blocks: [Int32]
    let context: Int
    let logit: Int?
  }

  @Test(
    "every row of a batch is computed once, at its context length, after all that it looks back to",
    arguments: 1...20 as ClosedRange<UInt64>)
  func coverage(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let sizes = [[8], [1, 8], [4, 16, 64]].randomElement(using: &random) ?? [8]
    let sequences = Int.random(in: 1...5, using: &random)
    let planner = planner(sizes, sequences: sequences)
    var (batch, expected, firsts) = (Batch(), Set<Row>(), [Int32: Int]())
    for sequence in 0..<sequences {
      let (first, count) = (Int.random(in: 0...600, using: &random), Int.random(in: 1...300, using: &random))
      let tokens = (0..<count).map { _ in Int32.random(in: 0..<1000, using: &random) }
      let blocks = (0..<Int32((first + count + 15) / 16)).map { Int32(sequence) * 70 + $0 }
      let logits = batch.append(
        tokens, at: first, blocks: blocks, logitCount: Int.random(in: 0...min(count, 3), using: &random))
      firsts[blocks[0]] = first
      for (index, token) in tokens.enumerated() {
        let (position, fromEnd) = (first + index, count - index)
        let context = try #require(planner.contexts.first { position < $0 })
        let table =
          Array(blocks.prefix(context / 16)) + Array(repeating: 500, count: max(0, context / 16 - blocks.count))
        expected.insert(
          Row(
            token: token, slot: blocks[position / 16] * 16 + Int32(position % 16), blocks: table, context: context,
            logit: fromEnd <= logits.count ? logits.upperBound - fromEnd : nil))
      }
    }
    var found: [Row] = []
    for pass in planner.passes(for: batch) {
      #expect(pass.tokens.count == pass.size.rows && planner.sizes.contains(pass.size))
      let logits = Dictionary(pass.wanted.map { ($0.row, $0.place) }) { first, _ in first }
      let width = pass.size.context / 16
      for row in 0..<pass.size.rows where pass.slots[row] < 500 * 16 {
        let lane = row / pass.size.rowsPerLane
        let blocks = Array(pass.tables[lane * width..<(lane + 1) * width])
        // Rows of a sequence come in order, so that each finds what it looks back to.
        #expect(firsts[blocks[0]] == Int(pass.positions[row]))
        firsts[blocks[0]] = Int(pass.positions[row]) + 1
        found.append(
          Row(
            token: pass.tokens[row], slot: pass.slots[row], blocks: blocks, context: pass.size.context,
            logit: logits[row]))
      }
    }
    #expect(found.count == batch.rowCount && Set(found) == expected)
  }
}
