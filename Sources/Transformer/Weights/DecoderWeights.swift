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
  var packedByteCount: Int { layers.flatMap(\.matrices).reduce(head.byteCount) { $0 + $1.byteCount } }

  /// Packs the checkpoint's weights, or takes them from `cache`, which hears of those that were packed.
  init(
    _ checkpoint: Checkpoint, configuration: ModelConfiguration, quantization: Quantization, pool: WorkerPool,
    cache: WeightCache?, progress: (Double) -> Void
  ) throws {
    let tensors = DecoderTensors(configuration)
    let entry = cache?.entry(for: checkpoint, configuration: configuration, quantization: quantization)
    if let cache, let entry, let file = cache.open(entry, pool: pool) {
      do {
        let packer = MatrixPacker(pool: pool, file: file)
        let packing = WeightPacking(checkpoint: checkpoint, quantization: quantization, packer: packer)
        try self.init(tensors, packing, progress: progress)
        try checkpoint.checkUnchanged()
        cacheKey = entry.key
        return
      } catch let error as PackingError {
        cache.report("'\(entry.path)': \(error); the weights are packed anew")
      }
    }
    let packer = MatrixPacker(pool: pool)
    let packing = WeightPacking(checkpoint: checkpoint, quantization: quantization, packer: packer)
    try self.init(tensors, packing, progress: progress)
    // What was packed of a file that changed meanwhile must not be kept for the file as it was.
    try checkpoint.checkUnchanged()
    if let cache, let entry { cache.save(packer.matrices, as: entry, pool: pool) }
    cacheKey = entry?.key
  }

  private init(_ tensors: DecoderTensors, _ packing: WeightPacking, progress: (Double) -> Void) throws {
    let packer = packing.packer
    embedding = .checkpoint(try packing.view(tensors.embedding))
    layers = try Self.layers(of: tensors, progress: progress) { try DecoderLayerWeights($1, packing) }
    let norm = try packing.floats(tensors.finalNorm)
    let output = try packing.view(tensors.head)
    let format = packing.quantization.format(of: output.elementType, isHead: true)
    var rounding = WeightRounding()
    if packing.isScaling(output, in: format) {
      rounding.columnExponents = ChannelScaling.exponents(
        levelling: columnPeaks(of: [output], pool: packer.threads), and: norm)
    }
    head = try packer.stack([output], format: format, rounding: rounding)
    finalNorm = ChannelScaling.divide(norm, by: head.columnExponents)
    progress(1)
  }

  /// Random weights in a model's shape, made in the packed layout; norms are ones and biases zeros.
  init(
    randomFor configuration: ModelConfiguration, quantization: Quantization, pool: WorkerPool,
    progress: (Double) -> Void
  ) throws {
    let tensors = DecoderTensors(configuration)
    let arena = MemoryArena()
    embedding = try .random(columns: tensors.embedding.shape[1])
    layers = try Self.layers(of: tensors, progress: progress) { index, layer in
      try DecoderLayerWeights(
        layer,
        random: RandomWeights(quantization: quantization, pool: pool, arena: arena, seed: UInt64(index + 1) << 32))
    }
    finalNorm = [Float](repeating: 1, count: tensors.finalNorm.count)
    head = try PackedMatrix(
      randomRows: tensors.head.shape[0], columns: tensors.head.shape[1],
      format: quantization.format(of: .bfloat16, isHead: true), seed: 7, pool: pool, arena: arena)
    progress(1)
  }

  /// Makes layer by layer; the head is one more part of what `progress` hears of.
  private static func layers(
    of tensors: DecoderTensors, progress: (Double) -> Void, make: (Int, DecoderLayer) throws -> DecoderLayerWeights
  ) rethrows -> [DecoderLayerWeights] {
    try tensors.layers.enumerated().map { index, layer in
      let weights = try make(index, layer)
      progress(Double(index + 1) / Double(tensors.layers.count + 1))
      return weights
    }
  }
}

/// Where a token's first vector comes from.
enum EmbeddingTable {
  /// Read row by row from the file.
  case checkpoint(TensorView)
  /// A few random rows that all tokens share, for a model without a file.
  case random(rows: Activations)
}
