import Testing
import Transformer

@Suite struct BatchTests {
  @Test("rows, positions and logits line up by sequence")
  func layout() {
    var batch = Batch()
    #expect(batch.append([1, 2, 3], at: 0, blocks: [0], logitCount: 1) == 0..<1)
    #expect(batch.append([9, 8], at: 30, blocks: [4, 1], logitCount: 2) == 1..<3)
    #expect(batch.tokens == [1, 2, 3, 9, 8] && batch.positions == [0, 1, 2, 30, 31] && batch.logitRows == [2, 3, 4])
  }
}
