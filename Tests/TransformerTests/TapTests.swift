import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing
import Transformer

@Suite struct TapTests {
  static func runner(_ directory: String, rows: Int = 64) throws -> CPUModelRunner {
    try CPUModelRunner(
      checkpoint: Checkpoint(directory: directory), configuration: ModelConfiguration(directory: directory),
      limits: RunnerLimits(rows: rows, logitRows: rows, positions: 128), pool: WorkerPool(threadCount: 2))
  }

  static func batch(_ tokens: ArraySlice<Int32>, at first: Int, logits: Int) -> Batch {
    var batch = Batch()
    batch.append(tokens, at: first, blocks: [0, 1, 2, 3], logitCount: logits)
    return batch
  }

  @Test("the first tap is the embedding, the last is what the final norm and the head read")
  func ends() throws {
    let (checkpoint, configuration) = (
      try Checkpoint(directory: Places.draft), try ModelConfiguration(directory: Places.draft)
    )
    let tokens: [Int32] = [17, 4, 900, 17, 2]
    let last = configuration.layerCount
    let pass = Pass(
      Self.batch(tokens[...], at: 0, logits: 5), taps: Taps(layers: [0, last], rows: Array(tokens.indices)))
    let result = try Self.runner(Places.draft).run(pass)
    let logits = try #require(result.logits)
    let hidden = configuration.hiddenSize
    let shape = [configuration.vocabularySize, hidden]
    let table = try checkpoint.tensor("model.embed_tokens.weight", shape: shape).floats()
    let norm = try checkpoint.tensor("model.norm.weight", shape: [hidden]).floats()
    try #require(configuration.tiesWordEmbeddings)
    for (row, token) in tokens.enumerated() {
      #expect(result.taps[0].row(row) == Array(table[Int(token) * hidden..<(Int(token) + 1) * hidden]))
      let stream = result.taps[1].row(row)
      let mean = stream.reduce(0) { $0 + $1 * $1 } / Float(hidden)
      let scale = 1 / (mean + configuration.rmsNormEpsilon).squareRoot()
      let normal = zip(stream, norm).map { $0 * scale * $1 }
      for column in [0, 5, 1000, 8191] {
        let expected = (0..<hidden).reduce(Float(0)) { $0 + normal[$1] * table[column * hidden + $1] }
        #expect(abs(expected - logits.row(row)[column]) < 0.05)
      }
    }
  }

  @Test("residual streams are those of transformers, layer by layer", arguments: ForwardCase.random)
  func reference(example: ForwardCase) throws {
    let expected = try ForwardReference(example.expected)
    let file = URL(fileURLWithPath: example.directory).appendingPathComponent("streams.json")
    let streams = try JSONDecoder().decode([[[Float]]].self, from: try Data(contentsOf: file))
    let runner = try Self.runner(example.directory)
    #expect(streams.count == runner.configuration.layerCount + 1)
    let found = try runner.run(
      Pass(
        Self.batch(expected.prompt[...], at: 0, logits: 1),
        taps: Taps(layers: Array(streams.indices), rows: expected.positions)))
    for (layer, rows) in streams.enumerated() {
      for (row, wanted) in rows.enumerated() {
        let size = wanted.reduce(0) { max($0, abs($1)) }
        let worst = zip(found.taps[layer].row(row), wanted).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        #expect(worst <= 1e-2 * size, "layer \(layer), row \(row): \(worst) of \(size)")
      }
    }
  }

  @Test("what is tapped changes nothing, and does not depend on how rows are grouped")
  func independence() throws {
    let tokens = (0..<40).map { Int32($0 * 37 % 900) }
    let layers = [0, 1, 2]
    let plain = try Self.runner(Places.draft)
    let logits = try plain.logits(of: Self.batch(tokens[...], at: 0, logits: 40))
    let whole = try Self.runner(Places.draft)
    let all = try whole.run(
      Pass(Self.batch(tokens[...], at: 0, logits: 40), taps: Taps(layers: layers, rows: Array(0..<40))))
    for row in 0..<40 { #expect(all.logits?.row(row) == logits.row(row)) }
    let pieces = try Self.runner(Places.draft)
    for (first, count) in [(0, 7), (7, 1), (8, 30), (38, 2)] {
      let found = try pieces.run(
        Pass(
          Self.batch(tokens[first..<first + count], at: first, logits: 0),
          taps: Taps(layers: layers, rows: [0, count - 1])))
      #expect(found.tokens.isEmpty && found.taps.count == 3)
      for layer in layers {
        #expect(found.taps[layer].row(0) == all.taps[layer].row(first))
        #expect(found.taps[layer].row(1) == all.taps[layer].row(first + count - 1))
      }
    }
  }

  @Test("a pass that asks for what is not there is refused by name")
  func refusals() throws {
    let runner = try Self.runner(Places.draft)
    let batch = Self.batch([1, 2, 3], at: 0, logits: 1)
    func message(_ pass: Pass) -> String {
      #expect(throws: RunnerError.self) { try runner.run(pass) }?.description ?? ""
    }
    let layers = runner.configuration.layerCount
    #expect(message(Pass(batch, taps: Taps(layers: [layers + 1], rows: [0]))).contains("layer \(layers + 1)"))
    #expect(message(Pass(batch, taps: Taps(layers: [0], rows: [3]))).contains("row 3 is tapped"))
    let choice = TokenChoice(temperature: 0, seed: 0, outputPosition: 0)
    #expect(message(Pass(batch, choices: [choice, choice])).contains("2 tokens are to be chosen after 1"))
    #expect(message(Pass(batch, choices: [choice])).contains("does not choose"))
    var stateful = Batch()
    stateful.append([1], at: 0, blocks: [0], logitCount: 1, states: StatePlan(kept: [StatePlan.Kept(row: 0, slot: 0)]))
    #expect(message(Pass(stateful)).contains("state slot 0 does not exist"))
  }
}
