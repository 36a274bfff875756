package import ModelFiles

/// Shapes of well-known models, to measure what they cost without their files.
package enum ModelShape: String, Sendable, CaseIterable {
  case qwen3Smallest = "qwen3-0.6b"
  case qwen3Small = "qwen3-1.7b"
  case qwen3Medium = "qwen3-4b"
  case qwen3Large = "qwen3-8b"

  private struct Sizes {
    let hidden, layers, heads, intermediate: Int
    let isTied: Bool
  }

  private var sizes: Sizes {
    switch self {
    case .qwen3Smallest: Sizes(hidden: 1024, layers: 28, heads: 16, intermediate: 3072, isTied: true)
    case .qwen3Small: Sizes(hidden: 2048, layers: 28, heads: 16, intermediate: 6144, isTied: true)
    case .qwen3Medium: Sizes(hidden: 2560, layers: 36, heads: 32, intermediate: 9728, isTied: true)
    case .qwen3Large: Sizes(hidden: 4096, layers: 36, heads: 32, intermediate: 12288, isTied: false)
    }
  }

  /// The architecture as the model's `config.json` has it.
  package func configuration() throws(ModelFileError) -> ModelConfiguration {
    let sizes = sizes
    let json = """
      {"architectures": ["Qwen3ForCausalLM"], "hidden_size": \(sizes.hidden), "num_hidden_layers": \(sizes.layers),
       "num_attention_heads": \(sizes.heads), "num_key_value_heads": 8, "head_dim": 128,
       "intermediate_size": \(sizes.intermediate), "vocab_size": 151936, "max_position_embeddings": 40960,
       "rms_norm_eps": 1e-6, "rope_theta": 1000000, "hidden_act": "silu", "tie_word_embeddings": \(sizes.isTied)}
      """
    return try ModelConfiguration(json: Array(json.utf8), path: rawValue)
  }
}
