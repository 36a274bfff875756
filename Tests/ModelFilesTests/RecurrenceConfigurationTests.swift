import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing

/// What files say about recurrent layers, and what of it cannot be.
@Suite struct RecurrenceConfigurationTests {
  static let valid = DamagedModelTests.valid.merging([
    "architectures": #"["Qwen3_5ForCausalLM"]"#, "num_hidden_layers": "8", "linear_num_key_heads": "2",
    "linear_num_value_heads": "6", "linear_key_head_dim": "8", "linear_value_head_dim": "24",
    "linear_conv_kernel_dim": "4",
  ]) { $1 }

  static func configuration(_ change: [String: String] = [:]) throws -> ModelConfiguration {
    try ModelConfiguration(json: DamagedModelTests.json(valid.merging(change) { $1 }), path: "config.json")
  }

  @Test("layers are recurrent but for every fourth, or as the file lists them")
  func layers() throws {
    let plain = try Self.configuration()
    let recurrence = try #require(plain.recurrence)
    #expect(recurrence.isRecurrent == [true, true, true, false, true, true, true, false])
    #expect(recurrence.layerCount == 6 && plain.attentionLayerCount == 2)
    #expect(plain.normAddend == 1 && plain.windows.isEmpty)
    #expect(plain.keyValueBytesPerToken == 2 * 2 * 2 * 16 * 2)
    // Three rows of the convolution's 2 · 2 · 8 + 6 · 24 channels, and 6 states of 8 x 24 in strips of 16.
    #expect(plain.stateByteCount == 6 * 4 * (3 * 176 + 6 * 2 * 8 * 16))
    let other = try Self.configuration(["full_attention_interval": "2"])
    #expect(other.recurrence?.isRecurrent == [true, false, true, false, true, false, true, false])
    let listed = try Self.configuration([
      "num_hidden_layers": "3", "layer_types": #"["full_attention","linear_attention","linear_attention"]"#,
    ])
    #expect(listed.recurrence?.isRecurrent == [false, true, true])
  }

  @Test("a quarter of a head is rotated unless the file says otherwise; frequencies are those of so many channels")
  func rotation() throws {
    #expect(try Self.configuration().rotatedSize == 4)
    #expect(try Self.configuration(["head_dim": "null"]).rotatedSize == 64)
    let half = try Self.configuration(["rope_parameters": #"{"rope_type":"default","partial_rotary_factor":0.5}"#])
    #expect(half.rotatedSize == 8 && half.rotaryFrequencies().inverseFrequencies.count == 4)
    #expect(abs(half.rotaryFrequencies().inverseFrequencies[1] - 0.1) < 1e-6)
  }

  @Test("of a model that sees pictures too, what reads texts counts")
  func nested() throws {
    let texts = DamagedModelTests.json(
      Self.valid.merging(["architectures": "null", "tie_word_embeddings": "false"]) { $1 })
    let whole = DamagedModelTests.json([
      "architectures": #"["Qwen3_5ForConditionalGeneration"]"#, "tie_word_embeddings": "true",
      "text_config": String(decoding: texts, as: UTF8.self), "vision_config": #"{"hidden_size":"?"}"#,
    ])
    let found = try ModelConfiguration(json: whole, path: "config.json")
    #expect(found.architecture == .qwen35 && found.layerCount == 8 && found.tiesWordEmbeddings)
    let other = DamagedModelTests.json(
      Self.valid.merging(["architectures": #"["Qwen3ForConditionalGeneration"]"#]) { $1 })
    #expect(throws: ModelFileError.self) { try ModelConfiguration(json: other, path: "config.json") }
  }

  static let damaged: [(change: [String: String], says: String)] = [
    (["linear_num_key_heads": "0"], "linear_num_key_heads is 0; expected 1 to 1024"),
    (["linear_num_key_heads": "4"], "linear_num_value_heads 6 is not a multiple of linear_num_key_heads 4"),
    (["linear_num_value_heads": "null"], "lacks the key 'linear_num_value_heads'"),
    (["linear_num_value_heads": "9223372036854775807"], "linear_num_value_heads is 9223372036854775807"),
    (["linear_key_head_dim": "-8"], "linear_key_head_dim is -8"),
    (["linear_value_head_dim": "4096"], "linear_value_head_dim is 4096; expected 1 to 1024"),
    (["linear_conv_kernel_dim": "1"], "linear_conv_kernel_dim is 1; expected 2 to 16"),
    (["full_attention_interval": "0"], "full_attention_interval is 0"),
    (["full_attention_interval": "9"], "no layer is attention"),
    (["num_hidden_layers": "100000"], "num_hidden_layers is 100000"),
    (["layer_types": #"["linear_attention"]"#], "layer_types has 1 entries for num_hidden_layers 8"),
    (
      ["num_hidden_layers": "2", "layer_types": #"["linear_attention","sliding_attention"]"#],
      "layers of type sliding_attention"
    ),
    (["attn_output_gate": "false"], "attn_output_gate false"),
    (["partial_rotary_factor": "0"], "partial_rotary_factor is 0.0; expected above 0 to 1"),
    (["partial_rotary_factor": "1e300"], "partial_rotary_factor is 1e+300"),
    (["partial_rotary_factor": "0.2"], "rotates 3; expected an even number"),
    (
      ["architectures": #"["Qwen3ForCausalLM"]"#, "partial_rotary_factor": "0.25"], "unsupported: partial_rotary_factor"
    ),
    (
      ["architectures": #"["Qwen3ForCausalLM"]"#, "num_hidden_layers": "1", "layer_types": #"["linear_attention"]"#],
      "layers of type linear_attention"
    ),
    (["architectures": #"["Qwen3NextForCausalLM"]"#], "lacks the key 'num_experts'"),
    (mixture(["shared_expert_intermediate_size": "null"]), "lacks the key 'shared_expert_intermediate_size'"),
    (mixture(["shared_expert_intermediate_size": "0"]), "shared_expert_intermediate_size is 0; expected 1"),
    (mixture(["mlp_only_layers": "[1]", "intermediate_size": "null"]), "lacks the key 'intermediate_size'"),
    (["architectures": #"["Qwen3_5OmniForCausalLM"]"#], "architecture Qwen3_5OmniForCausalLM; supported are"),
  ]

  /// What a file says of experts beside recurrent layers.
  static func mixture(_ change: [String: String] = [:]) -> [String: String] {
    [
      "architectures": #"["Qwen3NextForCausalLM"]"#, "num_experts": "4", "num_experts_per_tok": "2",
      "moe_intermediate_size": "32", "shared_expert_intermediate_size": "64",
    ].merging(change) { $1 }
  }

  @Test("beside recurrent layers there may be experts, one of them for all rows")
  func experts() throws {
    let found = try Self.configuration(Self.mixture(["intermediate_size": "null"]))
    let experts = try #require(found.experts)
    #expect(experts.sharedSize == 64 && experts.normalizesWeights && experts.denseLayers.isEmpty)
    #expect(found.recurrence?.layerCount == 6 && found.normAddend == 1)
    let other = try Self.configuration(
      Self.mixture(["architectures": #"["Qwen3_5MoeForCausalLM"]"#, "norm_topk_prob": "false"]))
    #expect(other.architecture == .qwen35MoE && other.experts?.normalizesWeights == false)
    // All rows go through it: three matrices of 32 more channels in each of 8 layers.
    let wider = try Self.configuration(Self.mixture(["shared_expert_intermediate_size": "96"]))
    let (tensors, more) = (DecoderTensors(found), DecoderTensors(wider))
    #expect(more.elementsPerRow - tensors.elementsPerRow == 8 * 3 * 32 * found.hiddenSize)
    let bytes = [tensors, more].map { $0.packedByteCount(.int8, experts: 0) }
    #expect(more.packedByteCount(.int8) - tensors.packedByteCount(.int8) == bytes[1] - bytes[0] && bytes[1] > bytes[0])
    let share = tensors.layers[0].feedForward.all.last
    #expect(share?.name.huggingFace == "model.layers.0.mlp.shared_expert_gate.weight" && share?.isMatrix == false)
    #expect(share?.shape == [1, found.hiddenSize])
  }

  @Test("inputs that are joined by key head are taken apart; those of another shape are refused")
  func joined() throws {
    func checkpoint(_ change: [String: String]) throws -> Checkpoint {
      let directory = try TemporaryDirectory()
      let keys = Self.valid.merging(Self.mixture(change)) { $1 }
      try directory.write(Data(DamagedModelTests.json(keys)), to: "config.json")
      // Rows of two channels that say which row it is.
      let tensors = [("in_proj_qkvz", 320), ("in_proj_ba", 12)].map { name, rows in
        (
          name: "model.layers.0.linear_attn.\(name).weight", shape: [rows, 2],
          values: (0..<rows).flatMap { [Float($0 % 128), Float($0 / 128)] }
        )
      }
      try directory.write(RandomModel.safetensors(tensors), to: "model.safetensors")
      return try Checkpoint(directory: directory.path)
    }
    let found = try checkpoint([:])
    func rows(_ name: String, _ count: Int) throws -> [Int] {
      let values = try found.tensor("model.layers.0.linear_attn.\(name).weight", shape: [count, 2]).floats()
      return (0..<count).map { Int(values[2 * $0]) + 128 * Int(values[2 * $0 + 1]) }
    }
    // Each of two key heads has 8 rows of queries, 8 of keys, 72 of values and 72 of gates.
    let parts = [0..<8, 160..<168, 8..<16, 168..<176, 16..<88, 176..<248].flatMap { Array($0) }
    #expect(try rows("in_proj_qkv", 176) == parts)
    #expect(try rows("in_proj_z", 144) == Array(88..<160) + Array(248..<320))
    #expect(try rows("in_proj_b", 6) == [0, 1, 2, 6, 7, 8])
    #expect(try rows("in_proj_a", 6) == [3, 4, 5, 9, 10, 11])
    #expect(found.tensorNames.count == 4 && found.parameterCount == 2 * 332)
    #expect(found.bytesByType == ["BF16": 4 * 332])
    for (change, says) in [
      (["linear_key_head_dim": "9"], "in_proj_qkvz"), (["linear_num_value_heads": "4"], "expected"),
      (["linear_num_value_heads": "1"], "linear_num_value_heads 1 is not a multiple"),
    ] {
      let error = #expect(throws: ModelFileError.self) { try checkpoint(change) }
      #expect(error?.description.contains(says) == true, "\(error?.description ?? "no error")")
    }
  }

  @Test("a configuration that cannot be run says why", arguments: damaged.indices)
  func damage(index: Int) throws {
    let (change, says) = Self.damaged[index]
    let error = #expect(throws: ModelFileError.self) { try Self.configuration(change) }
    #expect(error?.description.contains(says) == true, "\(error?.description ?? "no error")")
  }

  static let keys: [String: GGUFWriter.Value] = [
    "general.architecture": .string("qwen35"), "qwen35.block_count": .uint32(4), "qwen35.context_length": .uint32(128),
    "qwen35.embedding_length": .uint32(8), "qwen35.feed_forward_length": .uint32(16),
    "qwen35.attention.head_count": .uint32(2), "qwen35.attention.key_length": .uint32(16),
    "qwen35.attention.value_length": .uint32(16), "qwen35.rope.dimension_count": .uint32(4),
    "qwen35.ssm.conv_kernel": .uint32(4), "qwen35.ssm.state_size": .uint32(8), "qwen35.ssm.group_count": .uint32(2),
    "qwen35.ssm.time_step_rank": .uint32(6), "qwen35.ssm.inner_size": .uint32(72),
  ]

  private func configuration(gguf changes: [String: GGUFWriter.Value?]) throws -> ModelConfiguration {
    var writer = GGUFWriter()
    var keys = Self.keys
    for (key, value) in changes { keys[key] = value }
    for (key, value) in keys.sorted(by: { $0.key < $1.key }) { writer.add(key, value) }
    writer.add("token_embd.weight", [10, 8], [Float](repeating: 2, count: 80), as: .float32)
    let directory = try TemporaryDirectory()
    try directory.write(writer.data, to: "m.gguf")
    return try ModelConfiguration(directory: directory.path + "/m.gguf")
  }

  @Test("a GGUF file says the same by keys of its own, and what cannot be is refused")
  func gguf() throws {
    let found = try configuration(gguf: [:])
    let recurrence = try #require(found.recurrence)
    #expect(recurrence.isRecurrent == [true, true, true, false] && found.rotatedSize == 4 && found.normAddend == 0)
    #expect(recurrence.shape.valueSize == 12 && recurrence.shape.readsKeyHeadsInTurns)
    for (changes, says) in [
      (["qwen35.ssm.inner_size": .uint32(71)], "qwen35.ssm.inner_size is 71"),
      (["qwen35.ssm.inner_size": .uint32(4_000_000_000)], "qwen35.ssm.inner_size is 4000000000"),
      (["qwen35.ssm.time_step_rank": .uint32(0)], "qwen35.ssm.time_step_rank is 0"),
      (["qwen35.ssm.group_count": .uint32(4)], "is not a multiple of qwen35.ssm.group_count 4"),
      (["qwen35.ssm.conv_kernel": nil], "lacks the key 'qwen35.ssm.conv_kernel'"),
      (["qwen35.full_attention_interval": .uint32(5)], "no layer is attention"),
      (["qwen35.rope.dimension_count": .uint32(3)], "qwen35.rope.dimension_count is 3"),
      (["qwen35.attention.recurrent_layers": .uint32(1)], "qwen35.attention.recurrent_layers is 1; expected a list"),
      (["qwen35.attention.sliding_window": .uint32(8)], "unsupported: qwen35.attention.sliding_window"),
    ] as [([String: GGUFWriter.Value?], String)] {
      let error = #expect(throws: ModelFileError.self) { try configuration(gguf: changes) }
      #expect(error?.description.contains(says) == true, "\(error?.description ?? "no error")")
    }
  }

  @Test("tensors of recurrent layers are refused in files of families that have none")
  func strangers() {
    for name in [
      "blk.0.attn_gate.weight", "blk.0.ssm_a", "blk.0.ssm_dt.bias", "blk.0.ssm_ba.weight", "blk.0.ssm_in.weight",
      "blk.0.ffn_gate_shexp.weight", "blk.0.ffn_gate_inp_shexp.weight",
    ] {
      let error = #expect(throws: ModelFileError.self) {
        try GGUFModelConfigurationTests().configuration(tensors: [(name, [8])])
      }
      #expect(error?.description.contains("the tensor '\(name)'") == true, "\(error?.description ?? "no error")")
    }
  }

  @Test(
    "a model's list of tensors is what its checkpoint holds, in either format",
    arguments: ["plain", "odd-sizes", "moe-nested", "next-dense-layers"])
  func tensors(name: String) throws {
    let place = Places.golden.appendingPathComponent("recurrent/\(name)").path
    let tensors = DecoderTensors(try ModelConfiguration(directory: place)).all
    let checkpoint = try Checkpoint(directory: place)
    #expect(tensors.map(\.name.huggingFace).sorted() == checkpoint.tensorNames)
    for tensor in tensors { #expect(checkpoint.shape(of: tensor.name.huggingFace) == tensor.shape) }
  }

  @Test(
    "the parameters of Qwen3.5's 35B-A3B and of Qwen3-Next's 80B-A3B are counted to the last one",
    arguments: [
      (
        #""Qwen3_5MoeForCausalLM"], "num_hidden_layers": 40, "num_experts": 256, "num_experts_per_tok": 8, "vocab_size": 248320"#,
        34_660_610_688
      ),
      (
        #""Qwen3NextForCausalLM"], "num_hidden_layers": 48, "num_experts": 512, "num_experts_per_tok": 10, "vocab_size": 151936, "intermediate_size": 5632"#,
        79_674_391_296
      ),
    ])
  func mixtureParameters(own: String, count: Int) throws {
    let config = """
      {"architectures": [\(own), "hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 2, "head_dim": 256,
       "max_position_embeddings": 32768, "linear_num_key_heads": 16, "linear_num_value_heads": 32,
       "linear_key_head_dim": 128, "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4,
       "moe_intermediate_size": 512, "shared_expert_intermediate_size": 512}
      """
    let tensors = DecoderTensors(try ModelConfiguration(json: Array(config.utf8), path: "config.json"))
    #expect(tensors.all.reduce(0) { $0 + $1.count } == count)
  }

  @Test("the parameters of Qwen3.5's 9B are counted to the last one")
  func parameters() throws {
    let config = """
      {"architectures": ["Qwen3_5ForCausalLM"], "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 16,
       "num_key_value_heads": 4, "head_dim": 256, "intermediate_size": 12288, "vocab_size": 248320,
       "max_position_embeddings": 32768, "linear_num_key_heads": 16, "linear_num_value_heads": 32,
       "linear_key_head_dim": 128, "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4}
      """
    let tensors = DecoderTensors(try ModelConfiguration(json: Array(config.utf8), path: "config.json"))
    #expect(tensors.all.reduce(0) { $0 + $1.count } == 8_953_803_264)
  }
}
