package import ModelFiles

/// Shapes of well-known models, to measure what they cost without their files.
package enum ModelShape: String, Sendable, CaseIterable {
  case qwen3Smallest = "qwen3-0.6b"
  case qwen3Small = "qwen3-1.7b"
  case qwen3Medium = "qwen3-4b"
  case qwen3Large = "qwen3-8b"

  /// The architecture as the model's `config.json` has it.
  package func configuration() throws(ModelFileError) -> ModelConfiguration {
    guard let model = PublishedModel.all.first(where: { $0.name.lowercased().hasSuffix("/" + rawValue) }) else {
      throw ModelFileError(rawValue, "is not among the models whose sizes are known")
    }
    let json = """
      {"architectures": ["Qwen3ForCausalLM"], "hidden_size": \(model.hiddenSize), "num_hidden_layers": \(model.layers),
       "num_attention_heads": \(model.heads), "num_key_value_heads": \(model.keyValueHeads), "head_dim": \(model.headSize),
       "intermediate_size": \(model.intermediateSize), "vocab_size": \(model.vocabulary),
       "max_position_embeddings": \(model.longestSequence),
       "rms_norm_eps": 1e-6, "rope_theta": 1000000, "hidden_act": "silu", "tie_word_embeddings": \(model.tiesEmbeddings)}
      """
    return try ModelConfiguration(json: Array(json.utf8), path: rawValue)
  }
}
