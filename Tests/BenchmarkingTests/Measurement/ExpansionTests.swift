import Foundation
import Inference
import Measurement
import ModelFiles
import Tensor
import TestSupport
import Testing
import Transformer

@Suite struct ExpansionTests {
  static let tokens: [Int32] = [5, 99, 1000, 7, 42, 8000, 3, 3, 17, 256, 511, 64]

  /// A shape that is larger than the pair in every way, and small enough to be tested.
  func shape(heads: Int, kvHeads: Int, isTied: Bool) throws -> ModelConfiguration {
    let json = """
      {"architectures": ["Qwen3ForCausalLM"], "hidden_size": 416, "num_hidden_layers": 8,
       "num_attention_heads": \(heads), "num_key_value_heads": \(kvHeads), "head_dim": 128, "intermediate_size": 1120,
       "vocab_size": 8500, "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "rope_theta": 10000,
       "hidden_act": "silu", "tie_word_embeddings": \(isTied)}
      """
    return try ModelConfiguration(json: Array(json.utf8), path: "shape")
  }

  func logits(_ directory: String, quantization: Quantization) throws -> [[Float]] {
    let runner = try CPUModelRunner(
      checkpoint: Checkpoint(directory: directory), configuration: ModelConfiguration(directory: directory),
      quantization: quantization, limits: RunnerLimits(rows: 16, logitRows: 16, positions: 16),
      pool: WorkerPool(threadCount: 2))
    var batch = Batch()
    batch.append(Self.tokens, at: 0, blocks: [0], logitCount: Self.tokens.count)
    let result = try runner.logits(of: batch)
    return Self.tokens.indices.map { result.row($0) }
  }

  func expand(_ model: String, to shape: ModelConfiguration, in folder: String) throws -> String {
    let source = try ModelSource(model)
    let peak = try ModelExpansion.peakOutput(of: source, tokens: Self.tokens, threads: 2)
    let output = folder + "/expanded"
    try ModelExpansion(of: source.checkpoint, configuration: source.configuration, to: shape, peakOutput: peak)
      .write(to: output) { _ in }
    return output
  }

  @Test(
    "an expanded model computes what the small one computes, in every format",
    arguments: [(12, 4, true), (12, 12, true), (8, 8, false)])
  func equality(heads: Int, kvHeads: Int, isTied: Bool) throws {
    let folder = try TemporaryDirectory()
    let output = try expand(
      Places.target, to: shape(heads: heads, kvHeads: kvHeads, isTied: isTied), in: folder.path)
    for quantization in [Quantization.none, .int8, .int4] {
      let (small, large) = (
        try logits(Places.target, quantization: quantization), try logits(output, quantization: quantization)
      )
      for (expected, found) in zip(small, large) {
        let worst = zip(expected, found).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        // Integers are rounded among other neighbours, and so by another step.
        #expect(worst < (quantization == .none ? 2e-2 : 0.15), "\(quantization): largest difference \(worst)")
        let least = expected.reduce(Float.infinity, min)
        #expect(found[expected.count...].allSatisfy { $0 < least - 50 }, "\(quantization): an added id comes close")
      }
    }
    #expect(throws: ModelFileError.self) {
      try expand(Places.draft, to: shape(heads: 12, kvHeads: 4, isTied: true), in: folder.path)
    }
  }

  @Test("every query keeps its own keys, whatever the groups")
  func heads() throws {
    for (heads, kvHeads, more, moreKV) in [
      (4, 2, 16, 8), (2, 1, 32, 8), (4, 1, 16, 8), (6, 2, 8, 4), (4, 4, 32, 8), (8, 2, 8, 8), (16, 8, 32, 8),
    ] {
      let plan = try #require(
        HeadPlan(heads: heads, kvHeads: kvHeads, expandedHeads: more, expandedKVHeads: moreKV))
      var seen: [Int] = []
      for (place, query) in plan.queries.enumerated() {
        let keys = plan.keyValues[place / (more / moreKV)]
        switch query {
        case .original(let head):
          seen.append(head)
          #expect(keys == head / (heads / kvHeads))
        case .copy(let head): #expect(keys == head / (heads / kvHeads))
        case .idle: #expect(keys == nil)
        }
      }
      #expect(seen.sorted() == Array(0..<heads))
    }
    #expect(HeadPlan(heads: 4, kvHeads: 4, expandedHeads: 8, expandedKVHeads: 2) == nil)
  }

  @Test("a shape without room is refused by name")
  func refusals() throws {
    let checkpoint = try Checkpoint(directory: Places.target)
    let small = try ModelConfiguration(directory: Places.target)
    let draft = try ModelConfiguration(directory: Places.draft)
    func refusal(_ shape: ModelConfiguration) -> String {
      do {
        _ = try ModelExpansion(of: checkpoint, configuration: small, to: shape, peakOutput: 1)
        return "none"
      } catch { return error.description }
    }
    #expect(refusal(draft).contains("hidden_size of at least 258; the shape has 128"))
    #expect(try refusal(shape(heads: 4, kvHeads: 1, isTied: true)).contains("have no room"))
    #expect(try refusal(shape(heads: 12, kvHeads: 4, isTied: true)) == "none")
  }
}
