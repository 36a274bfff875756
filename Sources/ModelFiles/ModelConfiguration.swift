internal import Foundation
package import Tensor

/// The architecture of a model, from its `config.json`. Names are the file's, in Swift's spelling.
public struct ModelConfiguration: Sendable, Equatable {
  /// Families of models that Foretoken computes.
  public enum Architecture: String, Sendable, CaseIterable {
    /// Qwen3: norms on queries and keys.
    case qwen3 = "Qwen3ForCausalLM"
    /// Qwen3 with experts.
    case qwen3MoE = "Qwen3MoeForCausalLM"
    /// Qwen2 and Qwen2.5: biases on queries, keys and values.
    case qwen2 = "Qwen2ForCausalLM"
    /// Llama 2 and 3, and models that follow them.
    case llama = "LlamaForCausalLM"
    /// Mistral: all layers with a window, or none.
    case mistral = "MistralForCausalLM"
    /// Gemma 2: layers with and without a window in turns, capped scores and logits.
    case gemma2 = "Gemma2ForCausalLM"
    /// Gemma 3, its text model: five of six layers with a window and positions of their own.
    case gemma3 = "Gemma3ForCausalLM"
    /// gpt-oss: experts with biases, layers with and without a window in turns, sinks.
    case gptOss = "GptOssForCausalLM"
    /// Qwen3.5 and 3.6: gated delta nets, with gated attention in every fourth layer.
    case qwen35 = "Qwen3_5ForCausalLM"
    /// Qwen3.5 and 3.6 with experts.
    case qwen35MoE = "Qwen3_5MoeForCausalLM"
    /// Qwen3-Next: gated delta nets, gated attention and experts.
    case qwen3Next = "Qwen3NextForCausalLM"

    /// The family that a file names: with what turns hidden states into logits, or without (`Qwen3Model`).
    init?(named name: String) {
      let bare = name.hasSuffix("Model") ? name.dropLast("Model".count) + "ForCausalLM" : name[...]
      self.init(rawValue: String(bare))
    }

    /// Families whose models are also parts of larger ones that see pictures, by what these are called.
    package static let inLarger: [String: Architecture] = [
      "Gemma3ForConditionalGeneration": .gemma3, "Qwen3_5ForConditionalGeneration": .qwen35,
      "Qwen3_5MoeForConditionalGeneration": .qwen35MoE,
    ]
  }

  /// Family.
  public let architecture: Architecture
  /// Width of the residual stream.
  public let hiddenSize: Int
  /// Number of layers.
  public internal(set) var layerCount: Int
  /// Query heads.
  public let headCount: Int
  /// Key and value heads; divides `headCount`.
  public let kvHeadCount: Int
  /// Channels of a head; even.
  public let headSize: Int
  /// Width of the feed-forward network.
  public let intermediateSize: Int
  /// Rows of the embedding; at least the tokenizer's ids.
  public let vocabularySize: Int
  /// Added to the mean square before the root.
  public let rmsNormEpsilon: Float
  /// Longest sequence that the model was made for.
  public let maximumPosition: Int
  /// Whether the output matrix is the embedding.
  public internal(set) var tiesWordEmbeddings: Bool
  /// Biases of the query, key and value projections.
  public let hasQueryKeyValueBias: Bool
  /// Bias of the attention's output projection.
  public let hasAttentionOutputBias: Bool
  /// Biases of the feed-forward network.
  public let hasFeedForwardBias: Bool
  /// The experts that stand in place of feed-forward networks; `nil` where there are none.
  public internal(set) var experts: ExpertConfiguration?
  /// Positions.
  public let rotary: RotaryConfiguration
  /// By layer its window (`window(ofLayer:)`); empty where no layer has one.
  package internal(set) var windows: [Int?]
  /// Positions in layers that have a window, where they are not as in the others.
  package let windowRotary: RotaryConfiguration?
  /// Factor of the products of queries and keys.
  package let attentionScale: Float
  /// Scores stay within it, cap · tanh(score / cap); `nil` where they are as they are.
  package let attentionSoftCap: Float?
  /// Logits stay within it, in the same way.
  package let logitSoftCap: Float?
  /// Factor of embeddings.
  package let embeddingScale: Float
  /// What is added to the weights of norms as the files have them.
  package let normAddend: Float
  /// What opens the gates of feed-forward networks.
  package let activation: GateActivation

  /// Recurrent layers; `nil` where all layers are attention.
  package internal(set) var recurrence: RecurrenceConfiguration?

  /// How checkpoints that are quantised already have their matrices; of GGUF files the tensors say it.
  private(set) var storedForm: StoredForm?
  /// MTP layers that the file says checkpoints carry (`CarriedHead`); `nil` where it does not say.
  package internal(set) var statedHeadCount: Int?

  /// RMS norms on the heads of queries and keys.
  package var hasQueryKeyNorm: Bool { architecture.variations.hasQueryKeyNorm }
  /// Norms after attention and after the feed-forward network.
  package var hasPostNorms: Bool { architecture.variations.hasPostNorms }
  /// Whether what attention finds goes through a gate of its own for each head.
  package var hasAttentionGates: Bool { architecture.variations.hasAttentionGates }
  /// Channels of a head that are rotated, from the first on; even.
  package var rotatedSize: Int { rotary.rotatedSize(ofHead: headSize) }
  /// Layers that keep keys and values.
  package var attentionLayerCount: Int { layerCount - (recurrence?.layerCount ?? 0) }
  /// Keys and values of one position in half precision, in bytes.
  package var keyValueBytesPerToken: Int { 2 * 2 * kvHeadCount * headSize * attentionLayerCount }

  /// The same with the embedding in the place of an output matrix, for checkpoints that have none.
  package func tyingWordEmbeddings() -> ModelConfiguration {
    var tied = self
    tied.tiesWordEmbeddings = true
    return tied
  }

  /// - Parameter file: a `config.json`, under whatever name.
  package init(file path: String) throws(ModelFileError) {
    try self.init(try JSONFile.decode(ConfigurationFile.self, at: path), path: path)
  }

  package init(json: [UInt8], path: String) throws(ModelFileError) {
    try self.init(describedBy: try JSONFile.decode(ConfigurationFile.self, from: Data(json), path: path), path: path)
  }

  /// The model that a file describes, or of one that sees pictures too the part that reads and writes text.
  init(describedBy file: ConfigurationFile, path: String) throws(ModelFileError) {
    let part = file.architectures?.first.flatMap { Architecture.inLarger[$0] }
    if let part, var text = file.text_config?.file {
      text.tie_word_embeddings = file.tie_word_embeddings ?? text.tie_word_embeddings
      text.quantization_config = file.quantization_config ?? text.quantization_config
      try self.init(text, as: part, path: path)
    } else {
      try self.init(file, path: path)
    }
  }

  /// - Parameter known: the architecture, where the file does not name one.
  init(_ file: ConfigurationFile, as known: Architecture? = nil, path: String) throws(ModelFileError) {
    func unsupported(_ what: String) -> ModelFileError { ModelFileError(path, "unsupported: \(what)") }
    let name = file.architectures?.first ?? "none named"
    guard let architecture = known ?? Architecture(named: name) else {
      throw unsupported(
        "architecture \(name); supported are \(Architecture.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    storedForm = try file.quantization_config.map { (quantization) throws(ModelFileError) in
      try StoredForm(quantization, path: path)
    }
    statedHeadCount = try (file.mtp_num_hidden_layers ?? file.num_nextn_predict_layers).map {
      (count) throws(ModelFileError) in
      let key = file.mtp_num_hidden_layers == nil ? "num_nextn_predict_layers" : "mtp_num_hidden_layers"
      return try SizeBounds(path: path).check(key, count, in: 0...1024)
    }
    if file.is_causal == false { throw unsupported("attention to later positions (is_causal false)") }
    let bounds = SizeBounds(path: path)
    let variations = architecture.variations
    let file = variations.gemma.map { file.filled($0) } ?? file
    self.architecture = architecture
    hiddenSize = try bounds.check("hidden_size", file.hidden_size, in: 1...65_536)
    layerCount = try bounds.check("num_hidden_layers", file.num_hidden_layers, in: 1...1024)
    headCount = try bounds.check("num_attention_heads", file.num_attention_heads, in: 1...1024)
    kvHeadCount = try bounds.check("num_key_value_heads", file.num_key_value_heads ?? headCount, in: 1...1024)
    headSize = try bounds.check(
      "head_dim", file.head_dim ?? variations.defaultHeadSize ?? hiddenSize / headCount, in: 2...1024)
    experts =
      variations.hasExperts ? try ExpertConfiguration(file, as: variations, layerCount: layerCount, path: path) : nil
    intermediateSize = try bounds.check(
      "intermediate_size", file.intermediate_size ?? experts?.onlySize, in: 1...1_048_576)
    vocabularySize = try bounds.check("vocab_size", file.vocab_size, in: 1...16_777_216)
    maximumPosition = try bounds.check("max_position_embeddings", file.max_position_embeddings, in: 1...16_777_216)
    guard headCount % kvHeadCount == 0 else {
      throw ModelFileError(
        path, "num_attention_heads \(headCount) is not a multiple of num_key_value_heads \(kvHeadCount)")
    }
    guard headSize % 2 == 0 else { throw ModelFileError(path, "head_dim is \(headSize); expected an even number") }
    let epsilon = file.rms_norm_eps ?? 1e-6
    guard epsilon >= 0, epsilon < 1 else { throw ModelFileError(path, "rms_norm_eps is \(epsilon); expected 0 to 1") }
    rmsNormEpsilon = Float(epsilon)
    if variations.hasRecurrentLayers {
      (recurrence, windows) = (try RecurrenceConfiguration(file, path: path), [])
    } else {
      windows = try AttentionWindows.of(file, as: variations.windows, layerCount: layerCount, path: path)
    }
    if variations.hasAttentionGates, file.attn_output_gate == false {
      throw unsupported("attention without a gate (attn_output_gate false)")
    }
    tiesWordEmbeddings = file.tie_word_embeddings ?? false
    hasQueryKeyValueBias = variations.queryKeyValueBias.isPresent(file.attention_bias)
    hasAttentionOutputBias = variations.attentionOutputBias.isPresent(file.attention_bias)
    hasFeedForwardBias = variations.feedForwardBias.isPresent(file.mlp_bias)
    activation = try file.activation(as: variations, path: path)
    let scales = try LayerScales(file, as: variations, hiddenSize: hiddenSize, headSize: headSize, path: path)
    (attentionScale, embeddingScale, normAddend) = (scales.attention, scales.embedding, scales.normAddend)
    (attentionSoftCap, logitSoftCap) = (scales.attentionSoftCap, scales.logitSoftCap)
    rotary = try RotaryConfiguration(
      file, usualBase: variations.gemma?.rotaryBase ?? variations.usualRotaryBase,
      isByLayerType: variations.gemma?.windowRotaryBase != nil, rotatedShare: variations.rotatedShare,
      maximumPosition: maximumPosition, path: path)
    if let usual = variations.gemma?.windowRotaryBase {
      windowRotary = try RotaryConfiguration(
        windowsOf: file, usualBase: usual, maximumPosition: maximumPosition, path: path)
    } else {
      windowRotary = nil
    }
    guard rotatedSize >= 2, rotatedSize % 2 == 0 else {
      throw ModelFileError(
        path,
        "partial_rotary_factor \(rotary.rotatedShare) of heads of \(headSize) channels rotates \(rotatedSize); expected an even number from 2 on"
      )
    }
    for rotary in [rotary] + [windowRotary].compactMap(\.self) {
      let (frequencies, scale) = rotary.frequencies(headSize: rotary.rotatedSize(ofHead: headSize))
      guard scale.isFinite, frequencies.allSatisfy(\.isFinite) else {
        throw ModelFileError(
          path, "rope_theta \(rotary.base) with scaling \(rotary.scaling) gives no finite frequencies")
      }
    }
  }
}

/// Checks numbers of a file against what can make sense.
struct SizeBounds {
  let path: String

  func check(_ key: String, _ value: Int?, in range: ClosedRange<Int>) throws(ModelFileError) -> Int {
    guard let value else { throw ModelFileError(path, "lacks the key '\(key)'") }
    guard range.contains(value) else {
      throw ModelFileError(path, "\(key) is \(value); expected \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }
}

/// `config.json` as written.
struct ConfigurationFile: Decodable {
  let architectures: [String]?
  var hidden_size, num_attention_heads, intermediate_size, max_position_embeddings: Int?
  var head_dim: Int?
  let num_hidden_layers: Int?
  var num_key_value_heads, vocab_size: Int?
  let max_window_layers, sliding_window_pattern: Int?
  let sliding_window: Stated<Int>
  let num_experts, num_local_experts, num_experts_per_tok, experts_per_token: Int?
  let moe_intermediate_size, shared_expert_intermediate_size, decoder_sparse_step: Int?
  let swiglu_alpha, swiglu_limit: Double?
  let mlp_only_layers: [Int]?
  let norm_topk_prob: Bool?
  let mtp_num_hidden_layers, num_nextn_predict_layers: Int?
  let rms_norm_eps, partial_rotary_factor, rope_theta, rope_local_base_freq, query_pre_attn_scalar: Double?
  let attn_logit_softcapping, final_logit_softcapping: Stated<Double>
  let dtype, torch_dtype: String?
  let hidden_act: String?
  var hidden_activation: String?
  let linear_conv_kernel_dim, linear_key_head_dim, linear_value_head_dim: Int?
  let linear_num_key_heads, linear_num_value_heads, full_attention_interval: Int?
  let attn_output_gate: Bool?
  var tie_word_embeddings: Bool?
  let attention_bias, mlp_bias, use_bidirectional_attention: Bool?
  var is_causal, use_sliding_window: Bool?
  var layer_types: [String]?
  let rope_scaling: RotaryFile?
  /// Where newer writers put both the base and the scaling.
  let rope_parameters: RotaryFiles?
  var quantization_config: QuantizationFile?
  /// Of models that see pictures too, the part that reads and writes text.
  let text_config: Nested?

  /// A file within a file.
  final class Nested: Decodable, Sendable {
    let file: ConfigurationFile

    init(from decoder: any Decoder) throws { file = try ConfigurationFile(from: decoder) }
  }

  /// One for all layers, or one for each type of layer.
  struct RotaryFiles: Decodable {
    let all: RotaryFile
    let full_attention, sliding_attention: RotaryFile?

    private enum Keys: String, CodingKey { case full_attention, sliding_attention }

    init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: Keys.self)
      full_attention = try keys.decodeIfPresent(RotaryFile.self, forKey: .full_attention)
      sliding_attention = try keys.decodeIfPresent(RotaryFile.self, forKey: .sliding_attention)
      all = try RotaryFile(from: decoder)
    }
  }

  struct RotaryFile: Decodable {
    let rope_type, type: String?
    let rope_theta, factor, low_freq_factor, high_freq_factor, attention_factor, beta_fast, beta_slow: Double?
    let mscale, mscale_all_dim, partial_rotary_factor: Double?
    let original_max_position_embeddings: Int?
    let truncate: Bool?
  }
}
