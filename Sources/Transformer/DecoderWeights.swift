internal import ModelFiles
internal import Tensor

/// The weights of a decoder-only transformer in the layouts that the CPU kernels read.
struct DecoderWeights {
  /// Input embeddings `[vocabulary, hidden]`.
  let embedding: EmbeddingTable
  let layers: [DecoderLayerWeights]
  /// Weight of the last norm, `[hidden]`.
  let finalNorm: [Float]
  /// Output matrix `[vocabulary, hidden]`.
  let head: PackedMatrix
  /// The weights' name in the cache they were loaded through.
  private(set) var cacheKey: String?

  /// Memory of the packed matrices.
  var packedByteCount: Int { layers.reduce(head.byteCount) { $0 + $1.packedByteCount } }

  /// Packs the checkpoint's weights, or takes them from `cache`, which hears of those that were packed.
  init(
    _ checkpoint: Checkpoint, configuration: ModelConfiguration, format: WeightFormat, pool: WorkerPool,
    cache: WeightCache?, progress: (Double) -> Void
  ) throws {
    let entry = cache?.entry(for: checkpoint, configuration: configuration, format: format)
    if let cache, let entry, let file = cache.open(entry, pool: pool) {
      do {
        let packer = MatrixPacker(pool: pool, file: file)
        try self.init(checkpoint, configuration: configuration, format: format, packer: packer, progress: progress)
        cacheKey = entry.key
        return
      } catch let error as PackingError {
        cache.report("'\(entry.path)': \(error); the weights are packed anew")
      }
    }
    let packer = MatrixPacker(pool: pool)
    try self.init(checkpoint, configuration: configuration, format: format, packer: packer, progress: progress)
    if let cache, let entry { cache.save(packer.matrices, as: entry, pool: pool) }
    cacheKey = entry?.key
  }

  private init(
    _ checkpoint: Checkpoint, configuration: ModelConfiguration, format: WeightFormat, packer: MatrixPacker,
    progress: (Double) -> Void
  ) throws {
    let hidden = configuration.hiddenSize
    let vocabulary = configuration.vocabularySize
    let inputs = try checkpoint.tensor("model.embed_tokens.weight", shape: [vocabulary, hidden])
    embedding = .checkpoint(inputs)
    var layers: [DecoderLayerWeights] = []
    for index in 0..<configuration.layerCount {
      layers.append(
        try DecoderLayerWeights(
          checkpoint, configuration: configuration, index: index, format: format, packer: packer))
      progress(Double(index + 1) / Double(configuration.layerCount + 1))
    }
    self.layers = layers
    finalNorm = try checkpoint.tensor("model.norm.weight", shape: [hidden]).floats()
    let output =
      configuration.tiesWordEmbeddings
      ? inputs : try checkpoint.tensor("lm_head.weight", shape: [vocabulary, hidden])
    head = try packer.stack([output], format: format.headFormat)
    progress(1)
  }
}

/// Where a token's first vector comes from.
enum EmbeddingTable {
  /// Read row by row from the file.
  case checkpoint(TensorView)
  /// A few random rows that all tokens share, for a model without a file.
  case random(rows: Activations)
}

/// The weights of one layer.
struct DecoderLayerWeights {
  /// `[hidden]`.
  let attentionNorm: [Float]
  /// Queries, keys and values stacked: `[(heads + 2 · kvHeads) · headSize, hidden]`.
  let queryKeyValue: PackedMatrix
  /// Same rows as `queryKeyValue`; `nil` when the architecture has no such bias.
  let queryKeyValueBias: [Float]?
  /// `[headSize]`, Qwen3 only.
  let queryNorm: [Float]?
  let keyNorm: [Float]?
  /// `[hidden, heads · headSize]`.
  let attentionOutput: PackedMatrix
  let attentionOutputBias: [Float]?
  /// `[hidden]`.
  let feedForwardNorm: [Float]
  /// Gate and up projections, each `[intermediate, hidden]`, interleaved by panels.
  let gateUp: PackedMatrix
  let gateUpBias: (gate: [Float], up: [Float])?
  /// `[hidden, intermediate]`.
  let down: PackedMatrix
  let downBias: [Float]?

  var packedByteCount: Int {
    queryKeyValue.byteCount + attentionOutput.byteCount + gateUp.byteCount + down.byteCount
  }

  init(
    _ checkpoint: Checkpoint, configuration: ModelConfiguration, index: Int, format: WeightFormat, packer: MatrixPacker
  ) throws {
    let hidden = configuration.hiddenSize
    let intermediate = configuration.intermediateSize
    let queries = configuration.headCount * configuration.headSize
    let keys = configuration.kvHeadCount * configuration.headSize
    func tensor(_ name: String, _ shape: [Int]) throws -> TensorView {
      try checkpoint.tensor("model.layers.\(index).\(name)", shape: shape)
    }

    attentionNorm = try tensor("input_layernorm.weight", [hidden]).floats()
    queryKeyValue = try packer.stack(
      [
        tensor("self_attn.q_proj.weight", [queries, hidden]),
        tensor("self_attn.k_proj.weight", [keys, hidden]),
        tensor("self_attn.v_proj.weight", [keys, hidden]),
      ], format: format)
    attentionOutput = try packer.stack([tensor("self_attn.o_proj.weight", [hidden, queries])], format: format)
    if configuration.hasQueryKeyNorm {
      queryNorm = try tensor("self_attn.q_norm.weight", [configuration.headSize]).floats()
      keyNorm = try tensor("self_attn.k_norm.weight", [configuration.headSize]).floats()
    } else {
      (queryNorm, keyNorm) = (nil, nil)
    }
    queryKeyValueBias =
      configuration.hasQueryKeyValueBias
      ? try tensor("self_attn.q_proj.bias", [queries]).floats() + tensor("self_attn.k_proj.bias", [keys]).floats()
        + tensor("self_attn.v_proj.bias", [keys]).floats() : nil
    attentionOutputBias =
      configuration.hasAttentionOutputBias ? try tensor("self_attn.o_proj.bias", [hidden]).floats() : nil

    feedForwardNorm = try tensor("post_attention_layernorm.weight", [hidden]).floats()
    gateUp = try packer.pair(
      gate: tensor("mlp.gate_proj.weight", [intermediate, hidden]),
      up: tensor("mlp.up_proj.weight", [intermediate, hidden]), format: format)
    down = try packer.stack([tensor("mlp.down_proj.weight", [hidden, intermediate])], format: format)
    if configuration.hasFeedForwardBias {
      gateUpBias = (
        try tensor("mlp.gate_proj.bias", [intermediate]).floats(),
        try tensor("mlp.up_proj.bias", [intermediate]).floats()
      )
      downBias = try tensor("mlp.down_proj.bias", [hidden]).floats()
    } else {
      (gateUpBias, downBias) = (nil, nil)
    }
  }
}
