internal import Foundation

/// The architecture of a model, from its `config.json`. Names are the file's, in Swift's spelling.
public struct ModelConfiguration: Sendable, Equatable {
  /// Families of models that Foretoken computes.
  public enum Architecture: String, Sendable, CaseIterable {
    /// Qwen3: norms on queries and keys.
    case qwen3 = "Qwen3ForCausalLM"
    /// Qwen2 and Qwen2.5: biases on queries, keys and values.
    case qwen2 = "Qwen2ForCausalLM"
    /// Llama 2 and 3, and models that follow them.
    case llama = "LlamaForCausalLM"

    /// The family that a file names: with what turns hidden states into logits, or without (`Qwen3Model`).
    init?(named name: String) {
      let bare = name.hasSuffix("Model") ? name.dropLast("Model".count) + "ForCausalLM" : name[...]
      self.init(rawValue: String(bare))
    }
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
  /// Positions.
  public let rotary: RotaryConfiguration

  /// RMS norms on the heads of queries and keys.
  package var hasQueryKeyNorm: Bool { architecture.variations.hasQueryKeyNorm }
  /// Keys and values of one position in half precision, in bytes.
  package var keyValueBytesPerToken: Int { 2 * 2 * kvHeadCount * headSize * layerCount }

  /// The same with the embedding in the place of an output matrix, for checkpoints that have none.
  package func tyingWordEmbeddings() -> ModelConfiguration {
    var tied = self
    tied.tiesWordEmbeddings = true
    return tied
  }

  package init(json: [UInt8], path: String) throws(ModelFileError) {
    try self.init(try JSONFile.decode(ConfigurationFile.self, from: Data(json), path: path), path: path)
  }

  /// - Parameter known: the architecture, where the file does not name one.
  init(_ file: ConfigurationFile, as known: Architecture? = nil, path: String) throws(ModelFileError) {
    func unsupported(_ what: String) -> ModelFileError { ModelFileError(path, "unsupported: \(what)") }
    let name = file.architectures?.first ?? "none named"
    guard let architecture = known ?? Architecture(named: name) else {
      throw unsupported(
        "architecture \(name); supported are \(Architecture.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    if let quantization = file.quantization_config { _ = try StoredQuantization(quantization, path: path) }
    if file.is_causal == false { throw unsupported("attention to later positions (is_causal false)") }
    if let act = file.hidden_act, act != "silu" { throw unsupported("hidden_act \(act); only silu") }
    let bounds = SizeBounds(path: path)
    self.architecture = architecture
    hiddenSize = try bounds.check("hidden_size", file.hidden_size, in: 1...65_536)
    layerCount = try bounds.check("num_hidden_layers", file.num_hidden_layers, in: 1...1024)
    headCount = try bounds.check("num_attention_heads", file.num_attention_heads, in: 1...1024)
    kvHeadCount = try bounds.check("num_key_value_heads", file.num_key_value_heads ?? headCount, in: 1...1024)
    let variations = architecture.variations
    headSize = try bounds.check(
      "head_dim", file.head_dim ?? variations.defaultHeadSize ?? hiddenSize / headCount, in: 2...1024)
    intermediateSize = try bounds.check("intermediate_size", file.intermediate_size, in: 1...1_048_576)
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
    if let kind = file.layer_types?.first(where: { $0 != "full_attention" }) {
      throw unsupported("layers of type \(kind); only full_attention")
    }
    // Files without a list of layers name the first that has a window; in many it is past the last.
    if file.use_sliding_window == true, file.layer_types == nil, file.max_window_layers ?? 0 < layerCount {
      throw unsupported("sliding-window attention (use_sliding_window)")
    }
    tiesWordEmbeddings = file.tie_word_embeddings ?? false
    hasQueryKeyValueBias = variations.queryKeyValueBias.isPresent(file.attention_bias)
    hasAttentionOutputBias = variations.attentionOutputBias.isPresent(file.attention_bias)
    hasFeedForwardBias = variations.feedForwardBias.isPresent(file.mlp_bias)
    rotary = try RotaryConfiguration(file, maximumPosition: maximumPosition, path: path)
    let (frequencies, scale) = rotary.frequencies(headSize: headSize)
    guard scale.isFinite, frequencies.allSatisfy(\.isFinite) else {
      throw ModelFileError(path, "rope_theta \(rotary.base) with scaling \(rotary.scaling) gives no finite frequencies")
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
  let num_hidden_layers, num_key_value_heads, vocab_size: Int?
  let max_window_layers, sliding_window: Int?
  let rms_norm_eps, rope_theta, partial_rotary_factor: Double?
  let hidden_act: String?
  let tie_word_embeddings, attention_bias, mlp_bias, is_causal: Bool?
  var use_sliding_window: Bool?
  var layer_types: [String]?
  let rope_scaling: RotaryFile?
  /// Where newer writers put both the base and the scaling.
  let rope_parameters: RotaryFile?
  let quantization_config: QuantizationFile?

  struct RotaryFile: Decodable {
    let rope_type, type: String?
    let rope_theta, factor, low_freq_factor, high_freq_factor, attention_factor, beta_fast, beta_slow: Double?
    let mscale, mscale_all_dim, partial_rotary_factor: Double?
    let original_max_position_embeddings: Int?
    let truncate: Bool?
  }
}
