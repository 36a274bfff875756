import Decoding
import TestSupport
import Testing

@Suite struct BlockPoolTests {
  @Test("random growth and truncation never hand out a block twice or lose one")
  func invariants() {
    var generator = SeededGenerator(seed: 3)
    var pool = BlockPool(capacity: 20, blockSize: 4)
    var tables = Array(repeating: BlockTable(), count: 5)
    for _ in 0..<5_000 {
      let index = Int.random(in: 0..<5, using: &generator)
      if Bool.random(using: &generator) {
        let positions = Int.random(in: 0...40, using: &generator)
        let before = tables[index]
        let covered = pool.reserve(positions, in: &tables[index])
        #expect(covered ? tables[index].blocks.count * 4 >= positions : tables[index] == before)
      } else {
        let positions = Int.random(in: 0...40, using: &generator)
        pool.truncate(&tables[index], to: positions)
        #expect(tables[index].blocks.count <= (positions + 3) / 4)
      }
      let used = tables.flatMap(\.blocks)
      #expect(Set(used).count == used.count && used.count + pool.freeCount == 20)
    }
  }
}

@Suite struct PrefixCacheTests {
  @Test("an adopted block holds exactly the tokens that it was adopted for", arguments: 1...5 as ClosedRange<UInt64>)
  func contents(seed: UInt64) {
    struct Sequence {
      var tokens: [Int32]
      var computed: Int
      var table: BlockTable
    }
    var generator = SeededGenerator(seed: seed)
    var pool = BlockPool(capacity: 24, blockSize: 4)
    // What the runner's memory holds: by block and slot, the whole text up to there.
    var memory: [[[Int32]]] = Array(repeating: Array(repeating: [], count: 4), count: 24)
    var sequences: [Sequence] = []
    var adopted = 0
    for _ in 0..<4_000 {
      switch Int.random(in: 0..<4, using: &generator) {
      case 0 where sequences.count < 6:
        // Few different tokens, so that prompts begin alike.
        let tokens = (0..<Int.random(in: 1...24, using: &generator)).map { index in
          Int32.random(in: 0..<(index < 12 ? 1 : 2), using: &generator)
        }
        var sequence = Sequence(tokens: tokens, computed: 0, table: BlockTable())
        sequence.computed = pool.adopt(tokens, in: &sequence.table)
        #expect(sequence.computed < tokens.count && sequence.computed % 4 == 0)
        for position in 0..<sequence.computed {
          #expect(memory[Int(sequence.table.blocks[position / 4])][position % 4] == Array(tokens[...position]))
        }
        adopted += sequence.computed
        sequences.append(sequence)
      case 1 where !sequences.isEmpty:
        var sequence = sequences.remove(at: Int.random(in: sequences.indices, using: &generator))
        pool.truncate(&sequence.table, to: 0)
      case 2, 3:
        guard let index = sequences.indices.randomElement(using: &generator) else { break }
        let end = min(
          sequences[index].tokens.count, sequences[index].computed + Int.random(in: 1...9, using: &generator))
        guard pool.reserve(end + 3, in: &sequences[index].table) else { break }
        for position in sequences[index].computed..<end {
          memory[Int(sequences[index].table.blocks[position / 4])][position % 4] =
            Array(sequences[index].tokens[...position])
        }
        sequences[index].computed = end
        pool.truncate(&sequences[index].table, to: end)
        pool.publish(&sequences[index].table, computed: end, tokens: sequences[index].tokens)
        sequences[index].tokens.append(Int32.random(in: 0..<2, using: &generator))
      default: break
      }
      let held = Set(sequences.flatMap(\.table.blocks))
      #expect(held.count + pool.freeCount == 24)
    }
    #expect(adopted > 500, "prompts that begin alike have to meet")
  }
}

@Suite struct SchedulerTests {
  /// A pass in words: "A:prefill 0..<8, B:decode 12 +3".
  static func text(_ shares: [Scheduler.Share]) -> String {
    shares.map { share in
      let name = String(Character(Unicode.Scalar(UInt8(65 + share.request.number))))
      if share.positions.count == 1, share.reachesEnd {
        return "\(name):decode \(share.positions.lowerBound)" + (share.window > 0 ? " +\(share.window)" : "")
      }
      return "\(name):prefill \(share.positions.lowerBound)..<\(share.positions.upperBound)"
        + (share.reachesEnd ? " end" : "")
    }.joined(separator: ", ")
  }

  static func scheduler(rows: Int, sequences: Int, blocks: Int, logitRows: Int = 64) -> Scheduler {
    Scheduler(
      limits: .init(rows: rows, logitRows: logitRows, sequences: sequences, positions: 64),
      pool: BlockPool(capacity: blocks, blockSize: 4))
  }

  @Test("a long prompt is read in chunks while others decode")
  func chunks() {
    var scheduler = Self.scheduler(rows: 8, sequences: 2, blocks: 16)
    scheduler.add(RequestID(0), known: 3, remaining: 10)
    var pass = scheduler.schedule { _ in 0 }
    #expect(Self.text(pass) == "A:prefill 0..<3 end")
    scheduler.commit(pass[0], appended: 1)
    scheduler.add(RequestID(1), known: 12, remaining: 10)
    pass = scheduler.schedule { _ in 2 }
    #expect(Self.text(pass) == "A:decode 3 +2, B:prefill 0..<5")
    scheduler.commit(pass[0], accepted: 1, appended: 2)
    scheduler.commit(pass[1])
    pass = scheduler.schedule { _ in 2 }
    #expect(Self.text(pass) == "A:decode 5 +2, B:prefill 5..<10")
  }

  @Test("a prompt does not wait for the windows of those that decode")
  func promptsBeforeWindows() {
    var scheduler = Self.scheduler(rows: 16, sequences: 3, blocks: 32)
    for id in 0..<2 { scheduler.add(RequestID(id), known: 3, remaining: 40) }
    var pass = scheduler.schedule { _ in 10 }
    for share in pass { scheduler.commit(share, appended: 1) }
    scheduler.add(RequestID(2), known: 8, remaining: 10)
    pass = scheduler.schedule { _ in 10 }
    #expect(Self.text(pass) == "A:decode 3 +6, B:decode 3, C:prefill 0..<8 end")
    for share in pass { scheduler.commit(share, appended: 1) }
    scheduler.add(RequestID(3), known: 40, remaining: 10)
    scheduler.remove(RequestID(2))
    pass = scheduler.schedule { _ in 10 }
    #expect(Self.text(pass) == "A:decode 4 +4, B:decode 4, D:prefill 0..<10")
  }

  @Test("a window ends where the answer or the context must")
  func windowsAreBounded() {
    var scheduler = Self.scheduler(rows: 64, sequences: 1, blocks: 16)
    scheduler.add(RequestID(0), known: 5, remaining: 3)
    var pass = scheduler.schedule { _ in 8 }
    scheduler.commit(pass[0], appended: 1)
    pass = scheduler.schedule { _ in 8 }
    #expect(Self.text(pass) == "A:decode 5 +1", "of two tokens left the target writes one itself")
  }

  @Test("out of blocks, the window goes first, then the request admitted last")
  func preemption() {
    var scheduler = Self.scheduler(rows: 64, sequences: 3, blocks: 4)
    scheduler.add(RequestID(0), known: 7, remaining: 20)
    scheduler.add(RequestID(1), known: 7, remaining: 20)
    var pass = scheduler.schedule { _ in 0 }
    #expect(Self.text(pass) == "A:prefill 0..<7 end, B:prefill 0..<7 end")
    for share in pass { scheduler.commit(share, appended: 1) }
    pass = scheduler.schedule { _ in 4 }
    #expect(Self.text(pass) == "A:decode 7, B:decode 7", "no blocks for windows")
    for share in pass { scheduler.commit(share, appended: 1) }
    pass = scheduler.schedule { _ in 0 }
    #expect(Self.text(pass) == "A:decode 8", "B gave its blocks to A")
    #expect(scheduler.waitingCount == 1 && scheduler.runningCount == 1)
    scheduler.remove(RequestID(0))
    #expect(Self.text(scheduler.schedule { _ in 0 }) == "B:prefill 0..<9 end", "and starts over")
  }

  @Test("a prompt that is scored is read in pieces that logits fit for, beside others' decoding")
  func scoredPrompts() {
    var scheduler = Self.scheduler(rows: 32, sequences: 2, blocks: 16, logitRows: 6)
    scheduler.add(RequestID(0), known: 3, remaining: 10)
    var pass = scheduler.schedule { _ in 0 }
    scheduler.commit(pass[0], appended: 1)
    scheduler.add(RequestID(1), known: 8, remaining: 10, scored: 8)
    pass = scheduler.schedule { _ in 1 }
    #expect(Self.text(pass) == "A:decode 3 +1, B:prefill 0..<4")
    #expect(pass.map(\.logitCount) == [1, 4])
    scheduler.commit(pass[0], accepted: 0, appended: 1)
    scheduler.commit(pass[1])
    pass = scheduler.schedule { _ in 1 }
    #expect(Self.text(pass) == "A:decode 4 +1, B:prefill 4..<8 end")
    #expect(pass.map(\.logitCount) == [1, 4])
    scheduler.commit(pass[1], appended: 1)
    scheduler.remove(RequestID(0))
    pass = scheduler.schedule { _ in 1 }
    #expect(Self.text(pass) == "B:decode 8 +1" && pass[0].logitCount == 1, "and then decodes like any other")
  }

  @Test("lower priorities are admitted first, equal ones in order, a preempted one before its equals")
  func priorities() {
    var scheduler = Self.scheduler(rows: 64, sequences: 1, blocks: 16)
    for (number, priority) in [0, 5, 0, -1].enumerated() {
      scheduler.add(RequestID(number), known: 2, remaining: 1, priority: priority)
    }
    var order: [Int] = []
    while let share = scheduler.schedule(window: { _ in 0 }).first {
      order.append(share.request.number)
      scheduler.remove(share.request)
    }
    #expect(order == [3, 0, 2, 1])
  }

  @Test("a request that others overtake for long is next in the end")
  func ageing() {
    var scheduler = Self.scheduler(rows: 64, sequences: 1, blocks: 16)
    scheduler.add(RequestID(0), known: 2, remaining: 1, priority: 3)
    scheduler.add(RequestID(1), known: 2, remaining: 1, priority: 2)
    var order: [Int] = []
    for number in 2..<200 {
      scheduler.add(RequestID(number), known: 2, remaining: 1, priority: -number)
      guard let share = scheduler.schedule(window: { _ in 0 }).first else { break }
      order.append(share.request.number)
      scheduler.remove(share.request)
    }
    #expect(order.prefix(32).allSatisfy { $0 >= 2 })
    #expect(Set(order.dropFirst(32).prefix(2)) == [0, 1])
  }

  @Test("random traffic: every request ends, no pass exceeds its limits, no block is lost")
  func randomTraffic() {
    var generator = SeededGenerator(seed: 8)
    for _ in 0..<60 {
      let blocks = Int.random(in: 16...40, using: &generator)
      let limits = (rows: Int.random(in: 3...30, using: &generator), logits: Int.random(in: 1...12, using: &generator))
      var scheduler = Self.scheduler(rows: limits.rows, sequences: 4, blocks: blocks, logitRows: limits.logits)
      var left: [RequestID: Int] = [:]
      for number in 0..<8 {
        let tokens = Int.random(in: 1...20, using: &generator)
        left[RequestID(number)] = tokens
        let known = Int.random(in: 1...40, using: &generator)
        scheduler.add(
          RequestID(number), known: known, remaining: tokens,
          scored: Bool.random(using: &generator) ? known : 0, priority: Int.random(in: 0...2, using: &generator))
      }
      var passes = 0
      while !scheduler.isIdle, passes < 5_000 {
        passes += 1
        let pass = scheduler.schedule { _ in Int.random(in: 0...5, using: &generator) }
        #expect(!pass.isEmpty, "work is left and nothing is scheduled")
        #expect(pass.reduce(0) { $0 + $1.positions.count + $1.window } <= limits.rows)
        #expect(pass.reduce(0) { $0 + $1.logitCount + $1.window } <= limits.logits)
        #expect(pass.allSatisfy { !$0.reachesEnd || $0.logitCount > 0 })
        let held = pass.flatMap { scheduler.blocks(of: $0.request) }
        #expect(Set(held).count == held.count)
        for share in pass {
          #expect(scheduler.blocks(of: share.request).count * 4 >= share.positions.upperBound + share.window)
          guard share.reachesEnd, let remaining = left[share.request] else {
            scheduler.commit(share)
            continue
          }
          let accepted = Int.random(in: 0...share.window, using: &generator)
          left[share.request] = remaining - accepted - 1
          #expect(remaining - accepted - 1 >= 0, "more tokens than were asked for")
          if remaining - accepted - 1 == 0 {
            scheduler.remove(share.request)
          } else {
            scheduler.commit(share, accepted: accepted, appended: accepted + 1)
          }
        }
      }
      #expect(scheduler.isIdle && left.values.allSatisfy { $0 == 0 })
    }
  }
}
