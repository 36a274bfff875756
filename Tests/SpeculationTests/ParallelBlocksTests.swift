import Decoding
import Speculation
import TestSupport
import Testing

@Suite struct ParallelBlocksTests {
  @Test(
    "a sequence has what was computed for its tokens, in whichever blocks it holds",
    arguments: 1...8 as ClosedRange<UInt64>)
  func contents(seed: UInt64) {
    struct Sequence {
      var tokens: [Int32]
      var blocks: [Int32] = []
      var memo = ParallelBlocks.Memo()
    }
    var generator = SeededGenerator(seed: seed)
    // Where there are few, sequences write over each other's.
    let isCrowded = seed > 4
    let count = isCrowded ? 12 : 60
    var blocks = ParallelBlocks(count: count, blockSize: 4)
    // What really stands at each position of each block: everything up to there, as keys and values depend on it.
    var memory: [[[Int32]]] = Array(repeating: Array(repeating: [], count: 4), count: count)
    var sequences: [Sequence] = []
    var found = 0
    for _ in 0..<6_000 {
      if sequences.count < 4 || Int.random(in: 0..<30, using: &generator) == 0 {
        if sequences.count >= 4 { sequences.remove(at: Int.random(in: sequences.indices, using: &generator)) }
        // Few different tokens, so that sequences begin alike; blocks are taken from whoever held them, or shared.
        var next = Sequence(tokens: (0..<14).map { _ in Int32.random(in: 0..<2, using: &generator) })
        if let other = sequences.randomElement(using: &generator), Bool.random(using: &generator) {
          next.tokens.replaceSubrange(0..<8, with: other.tokens.prefix(8))
          next.blocks = Array(other.blocks.prefix(2))
        }
        while next.blocks.count < 5 {
          let block = Int32.random(in: 0..<Int32(count), using: &generator)
          let isTaken = !isCrowded && sequences.contains { $0.blocks.contains(block) }
          if !isTaken, !next.blocks.contains(block) { next.blocks.append(block) }
        }
        sequences.append(next)
      }
      let index = Int.random(in: sequences.indices, using: &generator)
      var sequence = sequences[index]
      let known = Int.random(in: 1...sequence.tokens.count, using: &generator)
      let computed = blocks.computed(
        Array(sequence.tokens.prefix(known)), settled: known, in: sequence.blocks, &sequence.memo)
      #expect(computed <= known)
      for position in 0..<computed {
        let block = Int(sequence.blocks[position / 4])
        #expect(memory[block][position % 4] == Array(sequence.tokens[...position]))
      }
      found += computed
      let end = Int.random(in: computed...sequence.tokens.count, using: &generator)
      blocks.note(sequence.tokens[computed..<end], at: computed, in: sequence.blocks)
      for position in computed..<end {
        memory[Int(sequence.blocks[position / 4])][position % 4] = Array(sequence.tokens[...position])
      }
      sequences[index] = sequence
    }
    #expect(found > 5_000)
  }
}
