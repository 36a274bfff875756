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

  /// Memory of the packed matrices.
  var packedByteCount: Int { layers.reduce(head.byteCount) { $0 + $1.packedByteCount } }

  init(
    _ checkpoint: Checkpoint, configuration: ModelConfiguration, format: WeightFormat, pool: WorkerPool,
    progress: (Double) -> Void
  ) throws {
    let hidden = configuration.hiddenSize
    let vocabulary = configuration.vocabularySize
    let inputs = try checkpoint.tensor("model.embed_tokens.weight", shape: [vocabulary, hidden])
    embedding = .checkpoint(inputs)
    let arena = MemoryArena()
    var layers: [DecoderLayerWeights] = []
    for index in 0..<configuration.layerCount {
      layers.append(
        try DecoderLayerWeights(
          checkpoint, configuration: configuration, index: index, format: format, pool: pool, arena: arena))
      progress(Double(index + 1) / Double(configuration.layerCount + 1))
    }
    self.layers = layers
    finalNorm = try checkpoint.tensor("model.norm.weight", shape: [hidden]).floats()
    let output =
      configuration.tiesWordEmbeddings
      ? inputs : try checkpoint.tensor("lm_head.weight", shape: [vocabulary, hidden])
    head = try PackedMatrix(stacking: [output], format: format.headFormat, pool: pool, arena: arena)
    progress(1)
  }
}

/// Where a token's first vector comes from.
enum EmbeddingTable {
  /// Read row by row from the mapped file.
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
    _ checkpoint: Checkpoint, configuration: ModelConfiguration, index: Int, format: WeightFormat, pool: WorkerPool,
    arena: MemoryArena
  ) throws {
    let hidden = configuration.hiddenSize
    let intermediate = configuration.intermediateSize
    let queries = configuration.headCount * configuration.headSize
    let keys = configuration.kvHeadCount * configuration.headSize
    func tensor(_ name: String, _ shape: [Int]) throws -> TensorView {
      try checkpoint.tensor("model.layers.\(index).\(name)", shape: shape)
    }

    attentionNorm = try tensor("input_layernorm.weight", [hidden]).floats()
    queryKeyValue = try PackedMatrix(
      stacking: [
        tensor("self_attn.q_proj.weight", [queries, hidden]),
        tensor("self_attn.k_proj.weight", [keys, hidden]),
        tensor("self_attn.v_proj.weight", [keys, hidden]),
      ], format: format, pool: pool, arena: arena)
    attentionOutput = try PackedMatrix(
      stacking: [tensor("self_attn.o_proj.weight", [hidden, queries])], format: format, pool: pool, arena: arena)
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
    gateUp = try PackedMatrix(
      pairingGate: tensor("mlp.gate_proj.weight", [intermediate, hidden]),
      up: tensor("mlp.up_proj.weight", [intermediate, hidden]), format: format, pool: pool, arena: arena)
    down = try PackedMatrix(
      stacking: [tensor("mlp.down_proj.weight", [hidden, intermediate])], format: format, pool: pool, arena: arena)
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
