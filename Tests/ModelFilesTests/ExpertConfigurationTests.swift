import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing

@Suite struct ExpertConfigurationTests {
  private static var sizes: [String: Any] {
    [
      "architectures": ["Qwen3MoeForCausalLM"], "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
      "intermediate_size": 96, "vocab_size": 100, "max_position_embeddings": 64, "num_experts": 8,
      "num_experts_per_tok": 2, "moe_intermediate_size": 32,
    ]
  }

  private func configuration(_ changes: [String: Any] = [:], without: String? = nil) throws -> ModelConfiguration {
    let directory = try TemporaryDirectory()
    var keys = Self.sizes.merging(changes) { $1 }
    if let without { keys[without] = nil }
    try directory.write(JSONSerialization.data(withJSONObject: keys), to: "config.json")
    return try ModelConfiguration(directory: directory.path)
  }

  @Test("which layers have experts, and how their shares are counted")
  func layers() throws {
    let plain = try #require(try configuration().experts)
    #expect(plain.denseLayers == [] && !plain.normalizesWeights && plain.count == 8 && plain.chosenCount == 2)
    let odd = try configuration(["decoder_sparse_step": 2, "mlp_only_layers": [3], "norm_topk_prob": true])
    #expect(odd.experts?.denseLayers == [0, 2, 3] && odd.experts?.normalizesWeights == true)
    let tensors = DecoderTensors(odd)
    let names = tensors.all.map(\.name.huggingFace)
    #expect(names.contains("model.layers.1.mlp.experts.7.down_proj.weight"))
    #expect(names.contains("model.layers.1.mlp.gate.weight") && names.contains("model.layers.0.mlp.gate_proj.weight"))
    #expect(!names.contains { $0.hasPrefix("model.layers.3.mlp.experts") })
    // What newer writers call the number of experts.
    #expect(try configuration(["num_local_experts": 6], without: "num_experts").experts?.count == 6)
  }

  @Test(
    "numbers that make no sense are named",
    arguments: [
      ("num_experts", 0), ("num_experts", 1 << 40), ("num_experts_per_tok", 9), ("num_experts_per_tok", -1),
      ("moe_intermediate_size", 0), ("decoder_sparse_step", 0),
    ])
  func hostile(key: String, value: Int) throws {
    let error = #expect(throws: ModelFileError.self) { try configuration([key: value]) }
    #expect(error?.description.contains(key) == true)
  }

  @Test("a missing number and a layer that does not exist are named")
  func missing() throws {
    for key in ["num_experts", "num_experts_per_tok", "moe_intermediate_size"] {
      let error = #expect(throws: ModelFileError.self) { try configuration(without: key) }
      #expect(error?.description.contains(key) == true)
    }
    let error = #expect(throws: ModelFileError.self) { try configuration(["mlp_only_layers": [4]]) }
    #expect(error?.description.contains("mlp_only_layers") == true)
  }

  @Test("sums of bytes count the experts that are read")
  func bytes() throws {
    let tensors = DecoderTensors(try configuration())
    let (all, two) = (tensors.packedByteCount(.int4), tensors.packedByteCount(.int4, experts: 2))
    let expert = tensors.layers[0].feedForward.all.first { $0.name.expert == 0 && $0.name.role == .gate }
    #expect(expert?.shape == [32, 64])
    #expect(tensors.packedByteCount(.int4, experts: 8) == all)
    // Gate and up have 32 rows of 64 inputs, down 64 of 32.
    let bytes =
      2 * WeightFormat.int4.packedByteCount(rows: 32, columns: 64)
      + WeightFormat.int4.packedByteCount(rows: 64, columns: 32)
    #expect(all - two == 4 * 6 * bytes)
  }

  @Test("stacked experts that cannot be cut are refused by name")
  func stacked() throws {
    let directory = try TemporaryDirectory()
    try directory.write(JSONSerialization.data(withJSONObject: Self.sizes), to: "config.json")
    let odd: [(name: String, shape: [Int], values: [Float])] = [
      ("model.layers.0.mlp.experts.gate_up_proj", [2, 3, 4], (0..<24).map(Float.init))
    ]
    try directory.write(RandomModel.safetensors(odd), to: "model.safetensors")
    let error = #expect(throws: ModelFileError.self) { try Checkpoint(directory: directory.path) }
    #expect(error?.description.contains("gate_up_proj") == true)
  }
}
