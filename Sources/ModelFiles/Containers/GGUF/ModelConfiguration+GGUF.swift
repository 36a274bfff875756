internal import Tensor

extension ModelConfiguration {
  /// Keys, after the architecture's name, that would change what is computed in ways that are not implemented.
  private static let unsupportedKeys = [
    "attention.scale", "attention.clamp_kqv", "logit_scale",
    "embedding_scale", "residual_scale",
  ]

  /// Reads the metadata and the table of tensors of a GGUF file.
  ///
  /// - Throws: `ModelFileError` that names what is missing, out of range or unsupported.
  init(_ file: GGUFFile) throws(ModelFileError) {
    let path = file.path
    let family = try file.family
    guard let architecture = Architecture(ggufName: family) else {
      throw ModelFileError(
        path,
        "unsupported: general.architecture '\(family)'; supported are \(Set(Architecture.allCases.map(\.variations.ggufName)).sorted().joined(separator: ", "))"
      )
    }
    let variations = architecture.variations
    if let odd = file.tensors.first(where: {
      $0.name != GGUFFile.rotaryFactors && GGUFFile.carriedTensor($0.name) == nil
        && !(variations.hasExperts
          && StackedExperts(gguf: $0.name, hasBiases: variations.hasExpertBiases) != nil)
        && !(variations.hasRecurrentLayers && JoinedInputs(gguf: $0.name) != nil)
        && !(TensorName(gguf: $0.name, aliases: variations.ggufAliases).map { variations.has($0.role) } ?? false)
    }) {
      throw ModelFileError(path, "unsupported: the tensor '\(odd.name)', which models of \(family) do not have")
    }
    let name = TensorName(.embedding).gguf
    let shape = file[name]?.shape
    guard let shape, shape.count == 2, (1...16_777_216).contains(shape[0]) else {
      throw ModelFileError(
        path, "\(name) is \(shape.map { "\($0)" } ?? "missing"); expected [vocabulary, embedding length]")
    }
    try self.init(file, family: family, as: architecture, vocabularySize: shape[0])
  }

  /// - Parameter family: what stands before the names of keys.
  init(
    _ file: GGUFFile, family: String, as architecture: Architecture, vocabularySize: Int
  ) throws(ModelFileError) {
    let (metadata, path) = (file.metadata, file.path)
    for key in Self.unsupportedKeys {
      guard let value = metadata["\(family).\(key)"], value.number != 0 else { continue }
      throw ModelFileError(path, "unsupported: \(family).\(key), which is \(value)")
    }
    let variations = architecture.variations
    let hasExperts = variations.hasExperts
    if !hasExperts, let value = metadata["\(family).expert_count"], value.number != 0 {
      throw ModelFileError(path, "unsupported: \(family).expert_count, which is \(value): a mixture of experts")
    }
    let caps = ["attn_logit_softcapping", "final_logit_softcapping"].map { "\(family).\($0)" }
    if variations.gemma == nil, let key = caps.first(where: { metadata[$0] != nil }) {
      throw ModelFileError(path, "unsupported: \(key) in models of this family")
    }
    self.architecture = architecture
    hiddenSize = try metadata.required("\(family).embedding_length", in: 1...65_536)
    // Blocks after the model's own predict further tokens.
    let blocks = try metadata.required("\(family).block_count", in: 1...1024)
    statedHeadCount = try metadata.integer("\(family).nextn_predict_layers", in: 0...blocks - 1)
    layerCount = blocks - (statedHeadCount ?? 0)
    headCount = try metadata.required("\(family).attention.head_count", in: 1...1024)
    kvHeadCount = try metadata.integer("\(family).attention.head_count_kv", in: 1...1024) ?? headCount
    headSize =
      try metadata.integer("\(family).attention.key_length", in: 2...1024) ?? hiddenSize / headCount
    experts =
      hasExperts ? try ExpertConfiguration(file, family: family, as: variations, layerCount: layerCount) : nil
    // Files of models whose layers all have experts may leave it out.
    if let width = experts?.onlySize, metadata["\(family).feed_forward_length"] == nil {
      intermediateSize = width
    } else {
      intermediateSize = try metadata.required("\(family).feed_forward_length", in: 1...1_048_576)
    }
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
    let rotated = try metadata.integer("\(family).rope.dimension_count", in: 0...65_536) ?? headSize
    let isPartial = variations.rotatedShare != nil && rotated >= 2 && rotated < headSize && rotated % 2 == 0
    for (key, size) in [
      ("attention.value_length", try metadata.integer("\(family).attention.value_length", in: 0...65_536)),
      ("rope.dimension_count", isPartial ? nil : rotated),
    ] {
      guard let size, size != headSize else { continue }
      throw ModelFileError(path, "unsupported: \(family).\(key) is \(size); only \(headSize), as the keys' channels")
    }
    rmsNormEpsilon = Float(try metadata.number("\(family).attention.layer_norm_rms_epsilon", in: 0...1) ?? 1e-6)
    self.vocabularySize = vocabularySize
    tiesWordEmbeddings = file[TensorName(.output).gguf] == nil
    // Files do not say in words which biases there are.
    func hasBias(_ role: TensorRole) -> Bool {
      // Of any layer: the first may be of another kind.
      file.tensors.contains { TensorName(gguf: $0.name).map { $0.role == role && $0.isBias } ?? false }
    }
    hasQueryKeyValueBias = hasBias(.query)
    hasAttentionOutputBias = hasBias(.attentionOutput)
    hasFeedForwardBias = hasBias(.gate)
    rotary = try RotaryConfiguration(
      file, family: family, headSize: headSize, rotatedSize: rotated, truncatesRamp: variations.truncatesRamp,
      maximumPosition: maximumPosition)
    recurrence =
      try variations.hasRecurrentLayers
      ? RecurrenceConfiguration(
        file, family: family, layerCount: layerCount, inTurns: variations.readsKeyHeadsInTurnsInGGUF) : nil
    windows = try AttentionWindows.of(file, family: family, as: variations.windows, layerCount: layerCount)
    guard recurrence == nil || windows.isEmpty else {
      throw ModelFileError(path, "unsupported: \(family).attention.sliding_window in a model with recurrent layers")
    }
    let usual = LayerScales.usualAttention(headSize: headSize)
    guard let gemma = variations.gemma else {
      (windowRotary, attentionSoftCap, logitSoftCap) = (nil, nil, nil)
      (attentionScale, embeddingScale, normAddend) = (usual, 1, 0)
      activation =
        variations.clampsGates
        ? .clamped(slope: Float(GateActivation.usualSlope), limit: Float(GateActivation.usualLimit)) : .silu
      return
    }
    windowRotary = try gemma.windowRotaryBase.map { usual throws(ModelFileError) in
      RotaryConfiguration(base: try metadata.number("\(family).rope.freq_base_swa", in: 1.01...1e12) ?? usual)
    }
    attentionSoftCap = try metadata.number(caps[0], in: 1e-6...1e6).map { Float($0) }
    logitSoftCap = try metadata.number(caps[1], in: 1e-6...1e6).map { Float($0) }
    // llama.cpp knows the largest model of each family, whose scale is another, by its number of layers; its converter adds
    // 1 to norms, and it computes the root in single precision.
    attentionScale = layerCount == gemma.largestLayerCount ? 1 / Float(hiddenSize / headCount).squareRoot() : usual
    (embeddingScale, normAddend, activation) = (Float(hiddenSize).squareRoot(), 0, .geluTanh)
  }
}
