internal import ModelFiles
internal import Tensor

/// The weights of a decoder-only transformer in the layouts that the CPU kernels read.
struct DecoderWeights {
  /// Input embeddings `[vocabulary, hidden]`.
  let embedding: EmbeddingTable
  let layers: [DecoderLayerWeights]
  let output: OutputWeights
  /// Weight of the last norm as the model has it, `[hidden]`; that of `output` goes with its matrix.
  let finalNorm: [Float]
  /// The weights' name in the cache they were loaded through.
  private(set) var cacheKey: String?

  /// Memory of the packed matrices.
  var packedByteCount: Int { layers.flatMap(\.matrices).reduce(output.matrix.byteCount) { $0 + $1.byteCount } }

  /// Packs the checkpoint's weights, or takes them from `cache`, which hears of those that were packed.
  init(
    _ checkpoint: Checkpoint, configuration: ModelConfiguration, quantization: Quantization, pool: WorkerPool,
    cache: WeightCache?, progress: (Double) -> Void
  ) throws {
    let tensors = DecoderTensors(configuration)
    (self, cacheKey) = try WeightPacking.packed(
      checkpoint, described: "\(configuration)", quantization: quantization, pool: pool, cache: cache
    ) { try DecoderWeights(tensors, $0, progress: progress) }
  }

  private init(_ tensors: DecoderTensors, _ packing: WeightPacking, progress: (Double) -> Void) throws {
    embedding = .checkpoint(try packing.checkpoint.rowReader(of: tensors.embedding))
    layers = try Self.layers(of: tensors, progress: progress) { try DecoderLayerWeights($1, packing) }
    output = try OutputWeights(norm: tensors.finalNorm, matrix: tensors.head, packing)
    finalNorm = try packing.floats(tensors.finalNorm)
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
    output = OutputWeights(
      norm: finalNorm,
      matrix: try PackedMatrix(
        randomRows: tensors.head.shape[0], columns: tensors.head.shape[1],
        format: quantization.format(of: .bfloat16, isHead: true), seed: 7, pool: pool, arena: arena))
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

/// What turns residual streams into logits.
struct OutputWeights {
  /// Weight of the last norm, `[hidden]`.
  let norm: [Float]
  /// `[vocabulary, hidden]`.
  let matrix: PackedMatrix

  init(norm: [Float], matrix: PackedMatrix) { (self.norm, self.matrix) = (norm, matrix) }

  /// - Parameter source: where the matrix is, if not where the norm is.
  init(norm: DecoderTensor, matrix: DecoderTensor, _ packing: WeightPacking, of source: Checkpoint? = nil) throws {
    let norm = try packing.floats(norm)
    let output = try source.map { try $0.tensor(matrix) } ?? packing.view(matrix)
    let format = packing.quantization.format(of: output.elementType, isHead: true)
    var rounding = WeightRounding()
    if packing.isScaling(output, in: format) {
      rounding.columnExponents = ChannelScaling.exponents(
        levelling: columnPeaks(of: [output], pool: packing.packer.threads), and: norm)
    }
    self.matrix = try packing.packer.stack([output], format: format, rounding: rounding)
    self.norm = ChannelScaling.divide(norm, by: self.matrix.columnExponents)
  }
}

/// Where a token's first vector comes from.
enum EmbeddingTable {
  /// Read row by row from the file.
  case checkpoint(RowReader)
  /// A few random rows that all tokens share, for a model without a file.
  case random(rows: Activations)
}

extension EmbeddingTable {
  /// The vectors of `tokens`, row by row.
  ///
  /// - Throws: `MappedFileError` when the file was changed or cut short meanwhile.
  func gather(_ tokens: [Int32], with operations: TensorOperations, into output: Activations) throws {
    switch self {
    case .checkpoint(let read):
      // Read, not mapped: the file may be cut short or written to while requests are served.
      let rows = try read(tokens)
      operations.gatherRows(of: rows, tokens: tokens.indices.map { Int32($0) }, into: output)
    case .random(let table):
      operations.copyRows(tokens.map { Int($0) % table.rowCapacity }, of: table, into: output)
    }
  }
}
