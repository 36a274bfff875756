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

  /// Numbers of rows whose passes were timed.
  private func sizes(of costs: PassCosts) throws -> Int? {
    let written = try JSONSerialization.jsonObject(with: JSONEncoder().encode(costs)) as? [String: Any]
    return (written?["seconds"] as? [Double])?.count
  }

  @Test("a model whose passes take long is timed for few rows")
  func largeModel() throws {
    let runner = try CPUModelRunner(
      checkpoint: Checkpoint(directory: Places.draft), configuration: ModelConfiguration(directory: Places.draft),
      quantization: .none, limits: RunnerLimits(rows: 48, positions: 64), pool: WorkerPool(threadCount: 1))
    let costs = try PassCosts.measure(runner, rows: 48, budget: 0, passes: 0)
    #expect(try sizes(of: costs) == 4)
    #expect(costs.seconds(rows: 48) >= costs.seconds(rows: 4))
  }

  @Test("passes of more rows than can have logits are timed too, as they are what prefill takes")
  func reading() throws {
    let runner = try CPUModelRunner(
      checkpoint: Checkpoint(directory: Places.draft), configuration: ModelConfiguration(directory: Places.draft),
      quantization: .none, limits: RunnerLimits(rows: 48, logitRows: 2, positions: 64), pool: WorkerPool(threadCount: 1)
    )
    let costs = try PassCosts.measure(runner, rows: 64, budget: 60)
    #expect(try sizes(of: costs) == runner.capacity.rows)
  }

  @Test("T(n, D): a pass costs what its rows and its experts cost, and how many experts rows go through is learnt")
  func experts() throws {
    // 4 layers of 16 experts, of which a row takes 2: 8, 15, ... with rows that choose by themselves.
    let layout = ExpertLayout(layers: 4, count: 16, chosen: 2)
    #expect(layout.experts(rows: 1) == 8 && abs(layout.experts(rows: 2) - 15) < 1e-9)
    #expect(abs(layout.rows(experts: 15) - 2) < 1e-9)
    let measured = Int(layout.experts(rows: 8).rounded())
    var costs = PassCosts(
      samples: [(rows: 1, seconds: 1e-3), (rows: 8, seconds: 5e-3)],
      experts: ExpertCosts(layout, secondsPerExpert: 1e-4, rows: 8, experts: measured))
    #expect(abs(costs.seconds(rows: 8) / 5e-3 - 1) < 1e-9)
    #expect(abs(costs.seconds(rows: 8, experts: measured + 10) - costs.seconds(rows: 8) - 1e-3) < 1e-9)
    // Rows of a text that choose alike: the passes are cheaper by as many experts, and are expected to be.
    for _ in 0..<100 {
      costs.observe(rows: 8, seconds: costs.seconds(rows: 8, experts: measured - 20), experts: measured - 20)
    }
    #expect(abs(costs.drift - 1) < 1e-6)
    let experts = try #require(costs.experts)
    #expect(abs(experts.expected(rows: 8) - Double(measured - 20)) < 0.5)
    #expect(abs(costs.seconds(rows: 8) - 3e-3) < 1e-4)
    #expect(abs(costs.seconds(rows: 1) - 1e-3) < 1e-9)
    // Of other sizes as many fewer as the same likeness gives.
    #expect(experts.expected(rows: 4) < layout.experts(rows: 4))
    let again = try JSONDecoder().decode(PassCosts.self, from: JSONEncoder().encode(costs))
    #expect(again.experts == costs.experts)
    // What a damaged file may hold.
    let damaged = #"{"seconds":[1],"experts":{"secondsPerExpert":0.1,"measuredIndependence":1,"independence":1,"#
    for layout in [
      #"{"layers":9223372036854775807,"count":9223372036854775807,"chosen":1}"#, #"{"layers":1,"count":0,"chosen":0}"#,
    ] {
      let data = Data((damaged + #""layout":"# + layout + "}}").utf8)
      #expect(throws: DecodingError.self) { try JSONDecoder().decode(PassCosts.self, from: data) }
    }
  }

  @Test("the experts of a real runner are counted, and what they cost is measured")
  func measuredExperts() throws {
    let directory = try TemporaryDirectory()
    var model = RandomModel(seed: 4)
    (model.architecture, model.expertCount) = ("Qwen3MoeForCausalLM", 12)
    try model.write(to: directory)
    let runner = try CPUModelRunner(
      checkpoint: Checkpoint(directory: directory.path), configuration: ModelConfiguration(directory: directory.path),
      quantization: .none, limits: RunnerLimits(rows: 16, logitRows: 16, positions: 64),
      pool: WorkerPool(threadCount: 1))
    #expect(runner.capacity.experts == ExpertLayout(layers: 2, count: 12, chosen: 2))
    #expect(runner.memory.packedExperts > 0 && runner.memory.packedExperts < runner.memory.packedWeights)
    let experts = try #require(try PassCosts.measure(runner, rows: 16).experts)
    #expect(experts.expected(rows: 1) == 4 && experts.expected(rows: 8) > 4 && experts.expected(rows: 8) <= 24)
    var batch = Batch()
    batch.append([5], at: 0, blocks: [0], logitCount: 1)
    #expect(try runner.run(Pass(batch)).expertCount == 4)
  }
}
