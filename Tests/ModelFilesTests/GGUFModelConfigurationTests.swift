import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing

/// What a GGUF file's keys say about the model.
@Suite struct GGUFModelConfigurationTests {
  static let keys: [String: GGUFWriter.Value] = [
    "general.architecture": .string("llama"), "llama.block_count": .uint32(1), "llama.context_length": .uint32(128),
    "llama.embedding_length": .uint32(8), "llama.feed_forward_length": .uint32(16),
    "llama.attention.head_count": .uint32(2), "llama.attention.head_count_kv": .uint32(1),
    "llama.attention.layer_norm_rms_epsilon": .float32(1e-5), "llama.rope.freq_base": .float32(500_000),
  ]

  func configuration(
    _ changes: [String: GGUFWriter.Value?] = [:], tensors: [(String, [Int])] = []
  ) throws -> ModelConfiguration {
    var writer = GGUFWriter()
    var keys = Self.keys
    for (key, value) in changes { keys[key] = value }
    for (key, value) in keys.sorted(by: { $0.key < $1.key }) { writer.add(key, value) }
    for (name, shape) in [("token_embd.weight", [10, 8])] + tensors where !shape.isEmpty {
      writer.add(name, shape, [Float](repeating: 2, count: shape.reduce(1, *)), as: .float32)
    }
    let directory = try TemporaryDirectory()
    try directory.write(writer.data, to: "m.gguf")
    return try ModelConfiguration(directory: directory.path + "/m.gguf")
  }

  @Test("sizes, biases and the head come from keys and tensors")
  func reading() throws {
    let plain = try configuration()
    #expect(plain.architecture == .llama && plain.layerCount == 1 && plain.vocabularySize == 10)
    #expect(plain.headSize == 4 && plain.kvHeadCount == 1 && plain.intermediateSize == 16)
    #expect(plain.tiesWordEmbeddings && !plain.hasQueryKeyValueBias && plain.rotary.scaling == .none)
    #expect(plain.rmsNormEpsilon == 1e-5 && plain.rotary.base == 500_000)
    let other = try configuration(
      ["llama.attention.key_length": .uint32(6), "llama.attention.head_count_kv": nil],
      tensors: [
        ("output.weight", [10, 8]), ("blk.0.attn_q.bias", [12]), ("blk.0.attn_output.bias", [8]),
        ("blk.0.ffn_gate.bias", [16]), ("rope_freqs.weight", [3]),
      ])
    #expect(!other.tiesWordEmbeddings && other.headSize == 6 && other.kvHeadCount == 2)
    #expect(other.hasQueryKeyValueBias && other.hasAttentionOutputBias && other.hasFeedForwardBias)
    #expect(other.rotary.scaling == .factors([2, 2, 2]))
    let halved = zip(
      other.rotaryFrequencies().inverseFrequencies,
      try configuration(
        ["llama.attention.key_length": .uint32(6)]).rotaryFrequencies().inverseFrequencies)
    #expect(halved.allSatisfy { $0 == $1 / 2 })
  }

  @Test("linear and YaRN scaling give the frequencies that config.json gives")
  func scaling() throws {
    func frequencies(_ type: String) throws -> ([Float], Float) {
      let found = try configuration([
        "llama.rope.scaling.type": .string(type), "llama.rope.scaling.factor": .float32(4),
        "llama.rope.scaling.original_context_length": .uint32(64),
      ]).rotaryFrequencies()
      let json = """
        {"architectures": ["LlamaForCausalLM"], "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
         "num_key_value_heads": 1, "intermediate_size": 16, "vocab_size": 10, "max_position_embeddings": 128,
         "rope_theta": 500000.0, "rope_scaling":
           {"rope_type": "\(type)", "factor": 4.0, "original_max_position_embeddings": 64}}
        """
      let directory = try TemporaryDirectory()
      try directory.write(Data(json.utf8), to: "config.json")
      let wanted = try ModelConfiguration(directory: directory.path).rotaryFrequencies()
      #expect(found.inverseFrequencies == wanted.inverseFrequencies)
      #expect(found.attentionScale == wanted.attentionScale)
      return found
    }
    #expect(try frequencies("linear").1 == 1)
    #expect(try frequencies("yarn").1 > 1.1)
  }

  static let faults: [(changes: [String: GGUFWriter.Value?], tensors: [(String, [Int])], says: String)] = [
    (
      ["general.architecture": .string("gemma4")], [],
      "general.architecture 'gemma4'; supported are gemma2, gemma3, gpt-oss, llama, qwen2, qwen3"
    ),
    (["general.architecture": nil], [], "'none named'"),
    (["llama.block_count": nil], [], "lacks the key 'llama.block_count'"),
    (["llama.block_count": .uint32(0)], [], "llama.block_count is 0; expected a whole number from 1 to 1024"),
    (["llama.feed_forward_length": .int32s([16])], [], "llama.feed_forward_length is list of 1 (int32)"),
    (["llama.attention.head_count": .uint32(8)], [], "heads have 1 channels"),
    (["llama.attention.head_count_kv": .uint32(3)], [], "is not a multiple of"),
    (["llama.attention.value_length": .uint32(2)], [], "llama.attention.value_length is 2"),
    (["llama.rope.dimension_count": .uint32(2)], [], "llama.rope.dimension_count is 2"),
    (["llama.expert_count": .uint32(8)], [], "unsupported: llama.expert_count, which is 8"),
    (["llama.attention.layer_norm_rms_epsilon": .float32(.nan)], [], "layer_norm_rms_epsilon is nan"),
    (["llama.final_logit_softcapping": .float32(30)], [], "llama.final_logit_softcapping in models of this family"),
    (
      [
        "llama.attention.sliding_window": .uint32(8),
        "llama.attention.sliding_window_pattern": .int32s([]),
      ], [], "llama.attention.sliding_window_pattern has 0 entries for 1 layers"
    ),
    (
      [
        "llama.attention.sliding_window": .uint32(8),
        "llama.attention.sliding_window_pattern": .strings(["a"]),
      ], [], "expected a list of true and false"
    ),
    (["llama.rope.freq_base": .float32(0.5)], [], "rope.freq_base"),
    (["llama.rope.scaling.type": .string("longrope")], [], "'longrope'; supported are none, linear, yarn"),
    (["llama.rope.scaling.type": .string("linear")], [("rope_freqs.weight", [2])], "beside the tensor"),
    ([:], [("rope_freqs.weight", [5])], "has shape [5]; expected [2]"),
    ([:], [("blk.0.ffn_gate_exps.weight", [2, 2])], "unsupported: the tensor 'blk.0.ffn_gate_exps.weight'"),
    ([:], [("blk.x.attn_q.weight", [2, 2])], "unsupported: the tensor 'blk.x.attn_q.weight'"),
  ]

  @Test("what cannot be run says which key or tensor and why", arguments: faults.indices)
  func refusals(index: Int) throws {
    let fault = Self.faults[index]
    let error = #expect(throws: ModelFileError.self) { try configuration(fault.changes, tensors: fault.tensors) }
    #expect(error?.path.hasSuffix("m.gguf") == true)
    #expect(error?.reason.contains(fault.says) == true, "\(error?.description ?? "no error")")
  }

  @Test("answers end at the named tokens and at control tokens of known texts; sampling is what the file suggests")
  func generation() throws {
    var writer = GGUFWriter()
    writer.add("tokenizer.ggml.tokens", .strings(["a", "<|im_end|>", "<|eot_id|>", "<|endoftext|>", "b"]))
    writer.add("tokenizer.ggml.token_type", .int32s([1, 3, 1, 3, 1]))
    writer.add("tokenizer.ggml.eos_token_id", .uint32(4))
    writer.add("general.sampling.temp", .float32(0.5))
    writer.add("general.sampling.top_k", .uint32(20))
    let directory = try TemporaryDirectory()
    try directory.write(writer.data, to: "m.gguf")
    let found = try GGUFFile(path: directory.path + "/m.gguf").generation()
    #expect(found.endOfTextTokens == [4, 1, 3])
    #expect(found.temperature == 0.5 && found.topK == 20 && found.topP == nil)
  }
}
