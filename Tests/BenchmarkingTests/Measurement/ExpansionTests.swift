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

  func logits(
    _ directory: String, quantization: Quantization, tokens: [Int32] = tokens, cache: WeightCache? = nil
  ) throws -> [[Float]] {
    let runner = try CPUModelRunner(
      checkpoint: Checkpoint(directory: directory), configuration: ModelConfiguration(directory: directory),
      quantization: quantization, limits: RunnerLimits(rows: 16, logitRows: 16, positions: 16),
      pool: WorkerPool(threadCount: 2), cache: cache)
    var batch = Batch()
    batch.append(tokens, at: 0, blocks: [0], logitCount: tokens.count)
    let result = try runner.logits(of: batch)
    return tokens.indices.map { result.row($0) }
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

  @Test("an expanded mixture computes what the small one computes, and what is left of its experts is never chosen")
  func experts() throws {
    let folder = try TemporaryDirectory()
    let small = try #require(ForwardCase.random.first { $0.name == "qwen3moe-plain" }).directory
    let tokens: [Int32] = [5, 99, 100, 7, 42, 180, 3, 3, 17, 25, 51, 64]
    func shape(experts: Int, chosen: Int) throws -> ModelConfiguration {
      let json = """
        {"architectures": ["Qwen3MoeForCausalLM"], "hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 8,
         "num_key_value_heads": 4, "head_dim": 16, "intermediate_size": 96, "moe_intermediate_size": 64,
         "num_experts": \(experts), "num_experts_per_tok": \(chosen), "norm_topk_prob": true, "vocab_size": 200,
         "max_position_embeddings": 512, "rms_norm_eps": 1e-6, "rope_theta": 10000, "hidden_act": "silu"}
        """
      return try ModelConfiguration(json: Array(json.utf8), path: "shape")
    }
    func expand(_ shape: ModelConfiguration) throws -> String {
      let place = folder.path + "/expanded"
      try ModelExpansion(
        of: Checkpoint(directory: small), configuration: ModelConfiguration(directory: small), to: shape, peakOutput: 1
      ).write(to: place) { _ in }
      return place
    }
    let large = try expand(shape(experts: 20, chosen: 4))
    #expect(try ModelConfiguration(directory: large).experts?.chosenCount == 4)
    let expected = try logits(small, quantization: .none, tokens: tokens)
    for (expected, found) in zip(expected, try logits(large, quantization: .none, tokens: tokens)) {
      let worst = zip(expected, found).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
      #expect(worst < 2e-2, "largest difference \(worst)")
    }
    for (experts, chosen) in [(20, 3), (12, 4)] {
      let error = #expect(throws: ModelFileError.self) {
        try expand(shape(experts: experts, chosen: chosen))
      }
      #expect(error?.description.contains("have no room for them") == true)
    }
  }

  @Test("weights that are made while they are read are those that would be written", arguments: [true, false])
  func description(isTied: Bool) throws {
    let folder = try TemporaryDirectory()
    let source = try ModelSource(Places.target)
    let shape = try shape(heads: 12, kvHeads: isTied ? 4 : 12, isTied: isTied)
    let expansion = try ModelExpansion(
      of: source.checkpoint, configuration: source.configuration, to: shape,
      peakOutput: ModelExpansion.peakOutput(of: source, tokens: Self.tokens, threads: 2))
    let (written, described) = (folder.path + "/written", folder.path + "/described")
    try expansion.write(to: written) { _ in }
    try expansion.writeDescription(to: described)
    let names = try FileManager.default.contentsOfDirectory(atPath: described)
    #expect(!names.contains { $0.contains("safetensors") })
    for quantization in [Quantization.none, .int4] {
      #expect(try logits(described, quantization: quantization) == logits(written, quantization: quantization))
    }
    // Packed weights are read from the cache, and nothing is made but rows of the embedding.
    var cache = WeightCache(folder: folder.path + "/cache")
    cache.leastBytes = 0
    let first = try logits(described, quantization: .int4, cache: cache)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/cache/packed").count == 1)
    #expect(try logits(described, quantization: .int4, cache: cache) == first)
    let tokens: [Int32] = [3, 8100, 3]
    let embedding = DecoderTensors(shape).embedding
    let rows = try [written, described].map { place in
      try Checkpoint(directory: place).rowReader(of: embedding)(tokens).floats()
    }
    #expect(rows[0] == rows[1])
  }

  @Test("a description that cannot be followed is refused by name")
  func descriptions() throws {
    let folder = try TemporaryDirectory()
    let source = try ModelSource(Places.target)
    let place = folder.path + "/described"
    try ModelExpansion(
      of: source.checkpoint, configuration: source.configuration, to: shape(heads: 12, kvHeads: 4, isTied: true),
      peakOutput: 1
    ).writeDescription(to: place)
    func refusal(_ description: String) throws -> String {
      try Data(description.utf8).write(to: URL(fileURLWithPath: place + "/expansion.json"))
      return #expect(throws: ModelFileError.self) { try Checkpoint(directory: place) }?.description ?? ""
    }
    let model = URL(fileURLWithPath: Places.target).standardizedFileURL.path
    #expect(try refusal(#"{"version": 2, "model": "\#(model)", "peak_output": 1}"#).contains("version 2; expected 1"))
    #expect(try refusal(#"{"version": 1, "model": "\#(place)", "peak_output": 1}"#).contains("expanded model itself"))
    #expect(try refusal(#"{"version": 1, "model": "\#(model)", "peak_output": -1}"#).contains("peak_output -1"))
    #expect(try refusal(#"{"version": 1, "model": "/nowhere", "peak_output": 1}"#).contains("/nowhere"))
    #expect(try refusal(#"{"version": 1, "peak_output": 1}"#).contains("expansion.json"))
    #expect(try refusal("[").contains("expansion.json"))
    try FileManager.default.removeItem(atPath: place + "/config.json")
    try FileManager.default.copyItem(atPath: model + "/config.json", toPath: place + "/config.json")
    #expect(try refusal(#"{"version": 1, "model": "\#(model)", "peak_output": 1}"#).contains("hidden_size"))
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
