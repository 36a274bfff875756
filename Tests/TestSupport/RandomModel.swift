public import Foundation

/// A tiny model with random weights, written as a Hugging Face directory.
///
/// Two of them agree on almost nothing, so that almost every proposal is rejected.
public struct RandomModel: Sendable {
  /// `config.json`'s numbers.
  public var hiddenSize = 48
  /// Number of layers.
  public var layerCount = 2
  /// Query heads.
  public var headCount = 4
  /// Key and value heads.
  public var kvHeadCount = 2
  /// Channels per head.
  public var headSize = 16
  /// Width of the feed-forward network.
  public var intermediateSize = 80
  /// Number of token ids.
  public var vocabularySize = 193
  /// As `config.json` names it.
  public var architecture = "Qwen3ForCausalLM"
  /// Experts in the place of each layer's feed-forward network, of which a row goes through two; 0 for none. They go with
  /// an architecture that has them.
  public var expertCount = 0
  /// Whether it carries an MTP layer, under Qwen3-Next's names.
  public var carriesMTP = false
  /// Selects the weights.
  public var seed: UInt64 = 1

  /// A Qwen3 of 48 channels.
  public init(seed: UInt64) { self.seed = seed }

  /// Writes `config.json` and `model.safetensors`.
  public func write(to directory: TemporaryDirectory) throws {
    try directory.write(JSONSerialization.data(withJSONObject: configuration), to: "config.json")
    var generator = SeededGenerator(seed: seed)
    var tensors: [(name: String, shape: [Int], values: [Float])] = []
    func add(_ name: String, _ shape: [Int], spread: Float, mean: Float = 0) {
      let count = shape.reduce(1, *)
      tensors.append((name, shape, (0..<count).map { _ in mean + spread * generator.normal() }))
    }
    add("model.embed_tokens.weight", [vocabularySize, hiddenSize], spread: 1)
    for layer in 0..<layerCount {
      let prefix = "model.layers.\(layer)."
      addLayer(prefix, inputs: hiddenSize, experts: expertCount, add)
      add(prefix + "self_attn.q_norm.weight", [headSize], spread: 0.1, mean: 1)
      add(prefix + "self_attn.k_norm.weight", [headSize], spread: 0.1, mean: 1)
    }
    add("model.norm.weight", [hiddenSize], spread: 0.1, mean: 1)
    add("lm_head.weight", [vocabularySize, hiddenSize], spread: 0.4)
    if carriesMTP {
      addLayer("mtp.layers.0.", inputs: hiddenSize, add)
      for name in ["pre_fc_norm_embedding", "pre_fc_norm_hidden", "norm"] {
        add("mtp.\(name).weight", [hiddenSize], spread: 0.1, mean: 1)
      }
      for name in ["q_norm", "k_norm"] {
        add("mtp.layers.0.self_attn.\(name).weight", [headSize], spread: 0.1, mean: 1)
      }
      add("mtp.fc.weight", [hiddenSize, 2 * hiddenSize], spread: 0.15)
    }
    try directory.write(Self.safetensors(tensors), to: "model.safetensors")
  }

  /// Writes an EAGLE-3 head on the model, in SpecForge's format, that reads the streams entering `taps`.
  public func writeHead(to directory: TemporaryDirectory, taps: [Int] = [0, 1, 2]) throws {
    var config = configuration
    config["architectures"] = ["LlamaForCausalLMEagle3"]
    config["num_hidden_layers"] = 1
    config["eagle_aux_hidden_state_layer_ids"] = taps
    try directory.write(JSONSerialization.data(withJSONObject: config), to: "config.json")
    var generator = SeededGenerator(seed: seed + 1000)
    var tensors: [(name: String, shape: [Int], values: [Float])] = []
    func add(_ name: String, _ shape: [Int], spread: Float, mean: Float) {
      let count = shape.reduce(1, *)
      tensors.append((name, shape, (0..<count).map { _ in mean + spread * generator.normal() }))
    }
    addLayer("midlayer.", inputs: 2 * hiddenSize, add)
    add("midlayer.hidden_norm.weight", [hiddenSize], spread: 0.1, mean: 1)
    add("fc.weight", [hiddenSize, taps.count * hiddenSize], spread: 0.2, mean: 0)
    add("norm.weight", [hiddenSize], spread: 0.1, mean: 1)
    add("lm_head.weight", [vocabularySize, hiddenSize], spread: 0.4, mean: 0)
    try directory.write(Self.safetensors(tensors), to: "model.safetensors")
  }

  /// Writes a DFlash head on the model, in z-lab's format, that reads the streams entering `taps` and proposes up to
  /// `block - 1` tokens; its first layer sees a few positions, and it has a vector for masks.
  ///
  /// - Parameter rank: of a DSpark head, what the token before a proposal is known by; such a head proposes up to `block`
  ///   tokens, and says how likely they are.
  public func writeBlockHead(
    to directory: TemporaryDirectory, taps: [Int] = [0, 1], block: Int = 9, rank: Int? = nil
  ) throws {
    var config = configuration
    config["architectures"] = [rank == nil ? "DFlashDraftModel" : "DSparkDraftModel"]
    config["model_type"] = "qwen3"
    config["num_hidden_layers"] = 2
    config["num_target_layers"] = layerCount
    config["block_size"] = block
    config["dflash_config"] = [
      "mask_token_id": vocabularySize - 1, "target_layer_ids": taps.map { $0 - 1 }, "markov_rank": rank ?? 0,
      "confidence_head_with_markov": true,
    ]
    config["layer_types"] = ["sliding_attention", "full_attention"]
    config["use_sliding_window"] = true
    config["sliding_window"] = 11
    try directory.write(JSONSerialization.data(withJSONObject: config), to: "config.json")
    var generator = SeededGenerator(seed: seed + 2000)
    var tensors: [(name: String, shape: [Int], values: [Float])] = []
    func add(_ name: String, _ shape: [Int], spread: Float, mean: Float) {
      let count = shape.reduce(1, *)
      tensors.append((name, shape, (0..<count).map { _ in mean + spread * generator.normal() }))
    }
    for layer in 0..<2 {
      addLayer("layers.\(layer).", inputs: hiddenSize, add)
      add("layers.\(layer).self_attn.q_norm.weight", [headSize], spread: 0.1, mean: 1)
      add("layers.\(layer).self_attn.k_norm.weight", [headSize], spread: 0.1, mean: 1)
    }
    add("hidden_norm.weight", [hiddenSize], spread: 0.1, mean: 1)
    add("fc.weight", [hiddenSize, taps.count * hiddenSize], spread: 0.2, mean: 0)
    add("norm.weight", [hiddenSize], spread: 0.1, mean: 1)
    add("mask_embedding", [hiddenSize], spread: 1, mean: 0)
    if let rank {
      add("markov_head.markov_w1.weight", [vocabularySize, rank], spread: 1, mean: 0)
      add("markov_head.markov_w2.weight", [vocabularySize, rank], spread: 0.3, mean: 0)
      add("confidence_head.proj.weight", [1, hiddenSize + rank], spread: 0.1, mean: 0)
      add("confidence_head.proj.bias", [1], spread: 0.5, mean: 0)
    }
    try directory.write(Self.safetensors(tensors), to: "model.safetensors")
  }

  private var configuration: [String: Any] {
    [
      "architectures": [architecture], "hidden_size": hiddenSize, "num_hidden_layers": layerCount,
      "num_attention_heads": headCount, "num_key_value_heads": kvHeadCount, "head_dim": headSize,
      "intermediate_size": intermediateSize, "vocab_size": vocabularySize, "max_position_embeddings": 512,
      "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": false,
      "num_experts": expertCount, "num_experts_per_tok": 2, "moe_intermediate_size": intermediateSize / 2,
      "norm_topk_prob": true,
    ]
  }

  private func addLayer(
    _ prefix: String, inputs: Int, experts: Int = 0,
    _ add: (_ name: String, _ shape: [Int], _ spread: Float, _ mean: Float) -> Void
  ) {
    add(prefix + "input_layernorm.weight", [hiddenSize], 0.1, 1)
    add(prefix + "self_attn.q_proj.weight", [headCount * headSize, inputs], 0.2, 0)
    add(prefix + "self_attn.k_proj.weight", [kvHeadCount * headSize, inputs], 0.2, 0)
    add(prefix + "self_attn.v_proj.weight", [kvHeadCount * headSize, inputs], 0.2, 0)
    add(prefix + "self_attn.o_proj.weight", [hiddenSize, headCount * headSize], 0.2, 0)
    add(prefix + "post_attention_layernorm.weight", [hiddenSize], 0.1, 1)
    if experts > 0 { add(prefix + "mlp.gate.weight", [experts, hiddenSize], 0.5, 0) }
    let width = experts > 0 ? intermediateSize / 2 : intermediateSize
    for network in experts > 0 ? (0..<experts).map({ "mlp.experts.\($0)." }) : ["mlp."] {
      add(prefix + network + "gate_proj.weight", [width, hiddenSize], 0.2, 0)
      add(prefix + network + "up_proj.weight", [width, hiddenSize], 0.2, 0)
      add(prefix + network + "down_proj.weight", [hiddenSize, width], 0.2, 0)
    }
  }

  /// The tensors as a safetensors file in bf16 (truncated, which is as good for random numbers).
  public static func safetensors(_ tensors: [(name: String, shape: [Int], values: [Float])]) throws -> Data {
    var header: [String: Any] = [:]
    var data = Data()
    for tensor in tensors {
      let start = data.count
      for value in tensor.values {
        let bits = UInt16(value.bitPattern >> 16)
        data.append(UInt8(bits & 0xFF))
        data.append(UInt8(bits >> 8))
      }
      header[tensor.name] =
        ["dtype": "BF16", "shape": tensor.shape, "data_offsets": [start, data.count]] as [String: Any]
    }
    let json = try JSONSerialization.data(withJSONObject: header)
    var file = Data()
    for shift in 0..<8 { file.append(UInt8(truncatingIfNeeded: UInt64(json.count) >> UInt64(8 * shift))) }
    return file + json + data
  }
}
