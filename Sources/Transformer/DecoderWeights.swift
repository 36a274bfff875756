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
    _ checkpoint: Checkpoint, configuration: ModelConfiguration, quantization: Quantization, pool: WorkerPool,
    cache: WeightCache?, progress: (Double) -> Void
  ) throws {
    let entry = cache?.entry(for: checkpoint, configuration: configuration, quantization: quantization)
    if let cache, let entry, let file = cache.open(entry, pool: pool) {
      do {
        let packer = MatrixPacker(pool: pool, file: file)
        try self.init(
          checkpoint, configuration: configuration, quantization: quantization, packer: packer, progress: progress)
        try checkpoint.checkUnchanged()
        cacheKey = entry.key
        return
      } catch let error as PackingError {
        cache.report("'\(entry.path)': \(error); the weights are packed anew")
      }
    }
    let packer = MatrixPacker(pool: pool)
    try self.init(
      checkpoint, configuration: configuration, quantization: quantization, packer: packer, progress: progress)
    // What was packed of a file that changed meanwhile must not be kept for the file as it was.
    try checkpoint.checkUnchanged()
    if let cache, let entry { cache.save(packer.matrices, as: entry, pool: pool) }
    cacheKey = entry?.key
  }

  private init(
    _ checkpoint: Checkpoint, configuration: ModelConfiguration, quantization: Quantization, packer: MatrixPacker,
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
          checkpoint, configuration: configuration, index: index, quantization: quantization, packer: packer))
      progress(Double(index + 1) / Double(configuration.layerCount + 1))
    }
    self.layers = layers
    let norm = try checkpoint.tensor("model.norm.weight", shape: [hidden]).floats()
    let output =
      configuration.tiesWordEmbeddings
      ? inputs : try checkpoint.tensor("lm_head.weight", shape: [vocabulary, hidden])
    let format = quantization.format(of: output.elementType, isHead: true)
    var rounding = WeightRounding()
    if packer.isPacking, output.isRounded(to: format) {
      rounding.columnExponents = ChannelScaling.exponents(
        levelling: columnPeaks(of: [output], pool: packer.threads), and: norm)
    }
    head = try packer.stack([output], format: format, rounding: rounding)
    finalNorm = ChannelScaling.divide(norm, by: head.columnExponents)
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

extension TensorView {
  /// Whether `format` rounds these weights to integers: they are floats, and it is not.
  func isRounded(to format: WeightFormat) -> Bool { elementType.heldFormat == .bfloat16 && format != .bfloat16 }
}
