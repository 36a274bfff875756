import PJRTTransformer
import Testing

@Suite struct SpeculationPlannerTests {
  func planner(rows: Int = 16, sequences: Int = 2, window: Int = 3, draftPositions: Int = 1000) -> SpeculationPlanner? {
    func passes(_ positions: Int, _ blocks: Int) -> PassPlanner {
      PassPlanner(
        rowBuckets: [1, rows], sequences: sequences, positions: positions, blockSize: 16, blockCount: blocks)
    }
    return SpeculationPlanner(target: passes(1000, 100), draft: passes(draftPositions, 50), window: window)
  }

  func lane(_ position: Int, window: Int = 3, draft: Bool = true, temperature: Double = 0) -> SpeculationLane {
    SpeculationLane(
      token: Int32(position), position: position, window: window, targetBlocks: Array(0..<64),
      draftBlocks: draft ? Array(1..<65) : nil, temperature: temperature, seed: 3 << 32 | 5, outputPosition: 7)
  }

  @Test("windows need rows beside the token that they follow")
  func rows() {
    #expect(planner(window: 7) != nil && planner(window: 8) == nil)
    #expect(planner(rows: 4, sequences: 4, window: 1) == nil)
  }

  @Test("a lane's rows are its last token and its drafts; the others write to the spare blocks")
  func lanes() throws {
    let passes = try #require(planner()).passes(for: [lane(30), lane(100, window: 1)])
    let pass = try #require(passes.first)
    #expect(pass.size.lanes == 2 && pass.size.rounds == 4 && pass.size.target.rowsPerLane == 8)
    #expect(pass.tokens == [30, 100])
    #expect(pass.targetPositions == [30, 31, 32, 33, 0, 0, 0, 0, 100, 101, 0, 0, 0, 0, 0, 0])
    #expect(pass.targetSlots.prefix(5) == [30, 31, 32, 33, 1604])
    #expect(pass.draftPositions == [30, 100, 31, 101, 32, 0, 33, 0])
    #expect(pass.draftSlots == [46, 116, 47, 117, 48, 805, 49, 807])
    #expect(pass.draftTables.prefix(2) == [1, 2] && pass.targetTables.prefix(2) == [0, 1])
    #expect(pass.lanes.map { [$0.index, $0.window] } == [[0, 3], [1, 1]] && !pass.size.samples)
    #expect(pass.outputPositions == [7, 7, 8, 8, 9, 9, 10, 10])
    #expect(pass.lowSeeds == [5, 5] && pass.highSeeds == [3, 3])
  }

  @Test("lanes of one context length share a pass, as many as there are; a window ends where its first row's does")
  func contexts() throws {
    let lanes = [lane(254), lane(255), lane(3, temperature: 0.5), lane(256), lane(600, draft: false)]
    let passes = try #require(planner(draftPositions: 300)).passes(for: lanes)
    #expect(passes.map { $0.lanes.map(\.index) } == [[0, 1], [2], [3], [4]])
    #expect(passes.map { $0.lanes.map(\.window) } == [[1, 0], [3], [3], [0]])
    #expect(passes.map(\.size.target.context) == [256, 256, 512, 1008])
    #expect(passes.map(\.size.draftContext) == [256, 256, 304, 304])
    #expect(passes.map(\.size.samples) == [false, true, false, false])
    // A lane without a draft leaves the draft's memory alone.
    #expect(passes[3].draftSlots.allSatisfy { $0 >= 50 * 16 })
  }

  @Test("a head reads what it has not read of a lane and its last token, each after the position before")
  func reading() throws {
    var (first, second) = (lane(30, window: 2), lane(16))
    (first.unread, second.draftBlocks) = ([28, 29], nil)
    let pass = try #require(planner()?.passes(for: [first, second]).first)
    #expect(pass.reading.tokens == [28, 29, 30, 0, 0, 0, 0, 0])
    #expect(pass.reading.positions == [28, 29, 30, 0, 0, 0, 0, 0])
    #expect(pass.reading.slots == [44, 45, 46, 803, 804, 805, 806, 807])
    #expect(pass.reading.before == [43, 44, 45, 803, 804, 805, 806, 807])
    #expect(pass.reading.last == [2, 4])
    // Streams of the target's rows are kept whether or not the head drafts.
    #expect(pass.reading.streams.prefix(4) == [30, 31, 32, 803] && pass.reading.streams[8] == 16)
  }
}
