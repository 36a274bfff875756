import Decoding
import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing
import Transformer

@Suite struct PassCostsTests {
  @Test("passes of more rows than can have logits are timed too, as they are what reading a text takes")
  func reading() throws {
    let runner = try CPUModelRunner(
      checkpoint: Checkpoint(directory: Places.draft), configuration: ModelConfiguration(directory: Places.draft),
      format: .bfloat16, limits: RunnerLimits(rows: 48, logitRows: 2, positions: 64), pool: WorkerPool(threadCount: 1))
    let costs = try PassCosts.measure(runner, rows: 64)
    let seconds = try JSONDecoder().decode([Double].self, from: JSONEncoder().encode(costs))
    #expect(seconds.count == runner.capacity.rows)
  }
}
