extension ModelConfiguration {
  /// Keys, after the architecture's name, that would change what is computed in ways that are not implemented.
  private static let unsupportedKeys = [
    "expert_count", "attention.sliding_window", "attention.scale", "attention.clamp_kqv", "logit_scale",
    "embedding_scale", "residual_scale",
  ]

  /// Reads the metadata and the table of tensors of a GGUF file.
  ///
  /// - Throws: `ModelFileError` that names what is missing, out of range or unsupported.
  public init(_ file: GGUFFile) throws(ModelFileError) {
    let (metadata, path) = (file.metadata, file.path)
    let family = try metadata.string("general.architecture") ?? "none named"
    guard let architecture = GGUFArchitecture.families[family] else {
      throw ModelFileError(
        path,
        "unsupported: general.architecture '\(family)'; supported are \(GGUFArchitecture.families.keys.sorted().joined(separator: ", "))"
      )
    }
    for key in Self.unsupportedKeys {
      guard let value = metadata["\(family).\(key)"], value.number != 0 else { continue }
      throw ModelFileError(path, "unsupported: \(family).\(key), which is \(value)")
    }
    if let odd = file.tensors.first(where: {
      $0.name != GGUFTensorNames.rotaryFactors && GGUFTensorNames.huggingFaceName(of: $0.name) == nil
    }) {
      throw ModelFileError(path, "unsupported: the tensor '\(odd.name)', which models of \(family) do not have")
    }
    self.architecture = architecture
    hiddenSize = try metadata.required("\(family).embedding_length", in: 1...65_536)
    layerCount = try metadata.required("\(family).block_count", in: 1...1024)
    headCount = try metadata.required("\(family).attention.head_count", in: 1...1024)
    kvHeadCount = try metadata.integer("\(family).attention.head_count_kv", in: 1...1024) ?? headCount
    headSize =
      try metadata.integer("\(family).attention.key_length", in: 2...1024) ?? hiddenSize / headCount
    intermediateSize = try metadata.required("\(family).feed_forward_length", in: 1...1_048_576)
    maximumPosition = try metadata.required("\(family).context_length", in: 1...16_777_216)
    guard headCount % kvHeadCount == 0 else {
      throw ModelFileError(
        path,
        "\(family).attention.head_count \(headCount) is not a multiple of \(family).attention.head_count_kv \(kvHeadCount)"
      )
    }
    guard headSize >= 2, headSize % 2 == 0 else {
      throw ModelFileError(path, "heads have \(headSize) channels; expected an even number")
    }
    for key in ["attention.value_length", "rope.dimension_count"] {
      guard let size = try metadata.integer("\(family).\(key)", in: 0...65_536), size != headSize else { continue }
      throw ModelFileError(path, "unsupported: \(family).\(key) is \(size); only \(headSize), as the keys' channels")
    }
    rmsNormEpsilon = Float(try metadata.number("\(family).attention.layer_norm_rms_epsilon", in: 0...1) ?? 1e-6)
    guard let embedding = file["token_embd.weight"], embedding.shape.count == 2,
      (1...16_777_216).contains(embedding.shape[0])
    else {
      throw ModelFileError(
        path,
        "token_embd.weight is \(file["token_embd.weight"].map { "\($0.shape)" } ?? "missing"); expected [vocabulary, \(hiddenSize)]"
      )
    }
    vocabularySize = embedding.shape[0]
    tiesWordEmbeddings = file["output.weight"] == nil
    // Files do not say in words which biases there are.
    hasQueryKeyValueBias = file["blk.0.attn_q.bias"] != nil
    hasAttentionOutputBias = file["blk.0.attn_output.bias"] != nil
    hasFeedForwardBias = file["blk.0.ffn_gate.bias"] != nil
    rotary = try RotaryConfiguration(file, family: family, headSize: headSize, maximumPosition: maximumPosition)
  }
}

/// The architectures of GGUF files that Foretoken computes.
enum GGUFArchitecture {
  static let families: [String: ModelConfiguration.Architecture] = ["qwen3": .qwen3, "qwen2": .qwen2, "llama": .llama]
}
