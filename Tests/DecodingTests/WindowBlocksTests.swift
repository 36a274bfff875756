import Decoding
import TestSupport
import Testing

/// Layers with a window let go of what no row sees any more, and of nothing else.
@Suite struct WindowBlocksTests {
  static let blockSize = 4

  /// A scheduler over a memory that remembers, of every place, the whole text up to the token that was written there.
  struct House {
    var scheduler: Scheduler
    let window: Int
    var texts: [RequestID: [Int32]] = [:]
    var generator: SeededGenerator
    /// By block and place in it; of layers that see everything, and of those with a window.
    var full: [Int32: [Int]] = [:]
    var windowed: [Int32: [Int]] = [:]
    var next = 0

    init(window: Int, slots: Int, blocks: Int = 40, rows: Int = 9, sharesPrefixes: Bool, seed: UInt64) {
      self.window = window
      generator = SeededGenerator(seed: seed)
      scheduler = Scheduler(
        limits: .init(rows: rows, logitRows: 64, sequences: 4, positions: 80, sharesPrefixes: sharesPrefixes),
        pool: BlockPool(
          capacity: blocks, blockSize: WindowBlocksTests.blockSize, windows: WindowLimits(window: window, slots: slots))
      )
    }

    /// A prompt of few different tokens, so that prompts begin alike.
    mutating func submit(length: Int, remaining: Int) {
      let id = RequestID(next)
      next += 1
      texts[id] = (0..<length).map { Int32.random(in: 0..<($0 < 3 * length / 4 ? 1 : 2), using: &generator) }
      scheduler.add(id, known: length, remaining: remaining)
    }

    /// One pass: writes first, then every row reads what it sees, as runners do.
    ///
    /// - Returns: rows that read something else than what belongs there.
    mutating func pass(window proposals: Int) -> [String] {
      var problems: [String] = []
      let shares = scheduler.schedule(window: { _ in proposals }, tokens: { [texts] in texts[$0] ?? [] })
      var rows: [(share: Scheduler.Share, text: [Int32], proposed: Int)] = []
      for share in shares {
        let proposed = share.window == 0 ? 0 : Int.random(in: 0...share.window, using: &generator)
        let text =
          (texts[share.request] ?? []).prefix(share.positions.upperBound)
          + (0..<proposed).map { _ in Int32.random(in: 0..<2, using: &generator) }
        rows.append((share, Array(text), proposed))
        for position in share.positions.lowerBound..<text.count {
          let content = text[...position].hashValue
          write(content, at: position, scheduler.blocks(of: share.request), &full)
          write(content, at: position, scheduler.windowBlocks(of: share.request), &windowed)
        }
      }
      for (share, text, _) in rows {
        let (blocks, windows) = (scheduler.blocks(of: share.request), scheduler.windowBlocks(of: share.request))
        for row in share.positions.lowerBound..<text.count {
          for position in 0...row {
            let content = text[...position].hashValue
            if read(position, blocks, full) != content { problems.append("row \(row) at \(position)") }
            guard position > row - window else { continue }
            if read(position, windows, windowed) != content {
              problems.append("row \(row) at \(position), window \(window)")
            }
          }
        }
      }
      for (share, _, proposed) in rows { commit(share, proposed: proposed) }
      return problems
    }

    private mutating func commit(_ share: Scheduler.Share, proposed: Int) {
      guard share.reachesEnd, var text = texts[share.request] else {
        return scheduler.commit(share, tokens: texts[share.request] ?? [])
      }
      guard Int.random(in: 0..<8, using: &generator) > 0 else {
        // Nothing could be decided.
        return scheduler.commit(share, accepted: -1, tokens: text)
      }
      // The proposals themselves are forgotten: accepted ones are drawn anew, and rewritten as if they had been these.
      let accepted = proposed == 0 ? 0 : Int.random(in: 0...proposed, using: &generator)
      for offset in 0..<accepted {
        text.append(Int32.random(in: 0..<2, using: &generator))
        let position = share.positions.upperBound + offset
        write(text[...position].hashValue, at: position, scheduler.blocks(of: share.request), &full)
        write(text[...position].hashValue, at: position, scheduler.windowBlocks(of: share.request), &windowed)
      }
      text.append(Int32.random(in: 0..<2, using: &generator))
      texts[share.request] = text
      scheduler.commit(share, accepted: accepted, appended: accepted + 1, tokens: text)
    }

    private func write(_ content: Int, at position: Int, _ blocks: [Int32], _ memory: inout [Int32: [Int]]) {
      let (block, place) = position.quotientAndRemainder(dividingBy: WindowBlocksTests.blockSize)
      memory[blocks[block], default: Array(repeating: 0, count: WindowBlocksTests.blockSize)][place] = content
    }

    private func read(_ position: Int, _ blocks: [Int32], _ memory: [Int32: [Int]]) -> Int? {
      let (block, place) = position.quotientAndRemainder(dividingBy: WindowBlocksTests.blockSize)
      return memory[blocks[block]]?[place]
    }

    mutating func end(_ id: RequestID) {
      scheduler.remove(id)
      texts[id] = nil
    }
  }

  @Test(
    "with too few blocks for all, every row of every pass finds what it sees, and in the end nothing is held",
    arguments: [1, 3, 4, 5, 8, 9, 16], [false, true])
  func randomTraffic(window: Int, sharesPrefixes: Bool) {
    let least = WindowLimits.leastSlots(window: window, rows: 9, blockSize: Self.blockSize)
    var hits = 0
    var preemptions = 0
    for (seed, spare) in [(UInt64(1), 0), (2, 1), (3, 4), (4, 20)] {
      var house = House(window: window, slots: least + spare, sharesPrefixes: sharesPrefixes, seed: seed)
      for step in 0..<400 {
        if house.texts.count < 6, Int.random(in: 0..<4, using: &house.generator) == 0 {
          house.submit(
            length: Int.random(in: 1...30, using: &house.generator),
            remaining: Int.random(in: 1...40, using: &house.generator))
        }
        let problems = house.pass(window: 3)
        #expect(problems.isEmpty, "window \(window), seed \(seed), step \(step): \(problems.prefix(3))")
        guard problems.isEmpty else { return }
        let all = house.texts.keys.sorted { $0.number < $1.number }
        for id in all where house.texts[id].map({ $0.count > 60 }) ?? false { house.end(id) }
        if Int.random(in: 0..<25, using: &house.generator) == 0,
          let victim = all.randomElement(using: &house.generator)
        {
          house.end(victim)
        }
      }
      hits += house.scheduler.prefixHits
      preemptions += house.scheduler.preemptionCount
      for id in house.texts.keys { house.end(id) }
      #expect(house.scheduler.pool.freeWindowSlots == least + spare)
      #expect(house.scheduler.pool.freeCount == house.scheduler.pool.capacity)
    }
    #expect(preemptions > 0)
    #expect(sharesPrefixes == (hits > 100), "\(hits) positions found")
  }

  @Test(
    "a sequence holds of layers with a window the blocks that its next row sees, to the position",
    arguments: [1, 4, 5, 15, 16, 17])
  func held(window: Int) {
    var pool = BlockPool(capacity: 40, blockSize: 16, windows: WindowLimits(window: window, slots: 40))
    var table = BlockTable()
    for computed in 0...100 {
      let reserved = pool.reserve(computed + 1, in: &table)
      #expect(reserved)
      pool.advance(&table, to: computed)
      let blocks = pool.windowBlocks(of: table)
      let seen = max(0, computed + 1 - window)...computed
      for (index, block) in blocks.enumerated() {
        let isSeen = seen.overlaps(index * 16...index * 16 + 15)
        #expect((block >= 0) == isSeen, "at \(computed), block \(index)")
      }
      #expect(pool.freeWindowSlots == 40 - blocks.count { $0 >= 0 })
    }
    pool.truncate(&table, to: 0)
    #expect(pool.freeWindowSlots == 40 && pool.freeCount == 40)
  }

  @Test("what is found again reaches as far as layers with a window still have what the next position sees")
  func reach() {
    let text = (0..<40).map { Int32($0) }
    // Windows of 6: of what ends at 32 positions 27 to 31 are seen, which lie in the blocks 6 and 7.
    var pool = BlockPool(capacity: 30, blockSize: 4, windows: WindowLimits(window: 6, slots: 4))
    var table = BlockTable()
    for computed in stride(from: 4, through: 32, by: 4) {
      let reserved = pool.reserve(computed, in: &table)
      #expect(reserved)
      pool.publish(&table, computed: computed, tokens: text)
      pool.advance(&table, to: computed)
    }
    pool.truncate(&table, to: 0)
    var again = BlockTable()
    let whole = pool.adopt(text, in: &again)
    #expect(whole == 32)
    #expect(pool.windowBlocks(of: again).map { $0 >= 0 } == [false, false, false, false, false, false, true, true])
    // A sequence that begins alike sees what the first has let go of, and somebody else took.
    var shorter = BlockTable()
    let beginning = pool.adopt(text.prefix(18), in: &shorter)
    #expect(beginning == 0)
    pool.truncate(&again, to: 0)
    // Another sequence takes all slots: of the first nothing can be gone on from.
    var other = BlockTable()
    let taken = pool.reserve(16, in: &other)
    #expect(taken && pool.freeWindowSlots == 0)
    let rest = pool.adopt(text, in: &again)
    #expect(rest == 0)
  }
}
