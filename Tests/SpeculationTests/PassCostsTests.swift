import Decoding
import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing
import Transformer

@Suite struct PassCostsTests {
  @Test("passes that were held up say nothing about how costs compare, and little about the pace")
  func heldUpPasses() {
    let known = PassCosts(samples: [(1, 0.010), (8, 0.014)])
    var costs = known
    for _ in 0..<15 { costs.observe(rows: 8, seconds: 0.5, wasHeldUp: true) }
    #expect(costs.seconds(rows: 8) == known.seconds(rows: 8))
    for pass in 0..<200 { costs.observe(rows: pass % 2 == 0 ? 8 : 1, seconds: 0.2, wasHeldUp: true) }
    #expect(costs.seconds(rows: 8) / costs.seconds(rows: 1) == known.seconds(rows: 8) / known.seconds(rows: 1))
    #expect(costs.drift > 2)
    for _ in 0..<30 { costs.observe(rows: 1, seconds: 0.010) }
    #expect(abs(costs.seconds(rows: 1) / 0.010 - 1) < 0.05)
  }

  @Test("a host that changes its pace leaves as it was how passes of different sizes compare")
  func pace() {
    var costs = PassCosts(samples: [(rows: 1, seconds: 1), (rows: 8, seconds: 1.5), (rows: 16, seconds: 2)])
    let known = costs
    for pass in 0..<400 {
      let rows = pass.isMultiple(of: 2) ? 1 : 8
      costs.observe(rows: rows, seconds: (pass < 200 ? 1 : 1.6) * known.seconds(rows: rows))
    }
    for rows in [1, 2, 8, 16] {
      #expect(abs(costs.seconds(rows: rows) / (1.6 * known.seconds(rows: rows)) - 1) < 0.08, "\(rows) rows")
    }
    #expect(abs(costs.seconds(rows: 8) / costs.seconds(rows: 1) / 1.5 - 1) < 0.05)
  }

  @Test("a size that was measured in a bad moment is put right within a hundred passes")
  func correction() {
    var costs = PassCosts(samples: [(rows: 1, seconds: 1.3), (rows: 8, seconds: 1.5)])
    for _ in 0..<50 {
      costs.observe(rows: 1, seconds: 1)
      costs.observe(rows: 8, seconds: 1.5)
    }
    #expect(abs(costs.seconds(rows: 8) / costs.seconds(rows: 1) / 1.5 - 1) < 0.08)
  }

  @Test("a model whose passes take long is timed for few rows")
  func largeModel() throws {
    let runner = try CPUModelRunner(
      checkpoint: Checkpoint(directory: Places.draft), configuration: ModelConfiguration(directory: Places.draft),
      quantization: .none, limits: RunnerLimits(rows: 48, positions: 64), pool: WorkerPool(threadCount: 1))
    let costs = try PassCosts.measure(runner, rows: 48, budget: 0, passes: 0)
    let seconds = try JSONDecoder().decode([Double].self, from: JSONEncoder().encode(costs))
    #expect(seconds.count == 4)
    #expect(costs.seconds(rows: 48) >= costs.seconds(rows: 4))
  }

  @Test("passes of more rows than can have logits are timed too, as they are what prefill takes")
  func reading() throws {
    let runner = try CPUModelRunner(
      checkpoint: Checkpoint(directory: Places.draft), configuration: ModelConfiguration(directory: Places.draft),
      quantization: .none, limits: RunnerLimits(rows: 48, logitRows: 2, positions: 64), pool: WorkerPool(threadCount: 1)
    )
    let costs = try PassCosts.measure(runner, rows: 64, budget: 60)
    let seconds = try JSONDecoder().decode([Double].self, from: JSONEncoder().encode(costs))
    #expect(seconds.count == runner.capacity.rows)
  }
}
