internal import ModelFiles
internal import Tensor

extension DecoderWeights {
  /// Random weights in a model's shape, made in the packed layout; norms are ones and biases zeros.
  init(
    randomFor configuration: ModelConfiguration, quantization: Quantization, pool: WorkerPool,
    progress: (Double) -> Void
  ) throws {
    let hidden = configuration.hiddenSize
    let table = try Activations(rowCapacity: 64, columns: hidden)
    var generator = RepeatableGenerator(state: 1)
    for row in 0..<table.rowCapacity { table.setRow(row, to: (0..<hidden).map { _ in generator.nextFloat() }) }
    embedding = .random(rows: table)
    let arena = MemoryArena()
    var layers: [DecoderLayerWeights] = []
    for index in 0..<configuration.layerCount {
      layers.append(
        try DecoderLayerWeights(
          randomFor: configuration, quantization: quantization, seed: UInt64(index + 1) << 32, pool: pool, arena: arena)
      )
      progress(Double(index + 1) / Double(configuration.layerCount + 1))
    }
    self.layers = layers
    finalNorm = [Float](repeating: 1, count: hidden)
    head = try PackedMatrix(
      randomRows: configuration.vocabularySize, columns: hidden,
      format: quantization.format(of: .bfloat16, isHead: true), seed: 7, pool: pool,
      arena: arena)
    progress(1)
  }
}

extension DecoderLayerWeights {
  fileprivate init(
    randomFor configuration: ModelConfiguration, quantization: Quantization, seed: UInt64, pool: WorkerPool,
    arena: MemoryArena
  ) throws {
    let (hidden, headSize) = (configuration.hiddenSize, configuration.headSize)
    let queries = configuration.headCount * headSize
    let keys = configuration.kvHeadCount * headSize
    let format = quantization.format(of: .bfloat16)
    func ones(_ count: Int) -> [Float] { [Float](repeating: 1, count: count) }
    func zeros(_ count: Int, _ isPresent: Bool) -> [Float]? { isPresent ? [Float](repeating: 0, count: count) : nil }

    attentionNorm = ones(hidden)
    queryKeyValue = [
      try PackedMatrix(
        randomRows: queries + 2 * keys, columns: hidden, format: format, seed: seed, pool: pool, arena: arena)
    ]
    queryKeyValueBias = zeros(queries + 2 * keys, configuration.hasQueryKeyValueBias)
    queryNorm = configuration.hasQueryKeyNorm ? ones(headSize) : nil
    keyNorm = configuration.hasQueryKeyNorm ? ones(headSize) : nil
    attentionOutput = try PackedMatrix(
      randomRows: hidden, columns: queries, format: format, seed: seed &+ 1 << 24, pool: pool, arena: arena)
    attentionOutputBias = zeros(hidden, configuration.hasAttentionOutputBias)
    feedForwardNorm = ones(hidden)
    gateUp = try PackedMatrix(
      randomRows: configuration.intermediateSize, columns: hidden, isGatePair: true, format: format,
      seed: seed &+ 2 << 24, pool: pool, arena: arena)
    gateUpBias =
      configuration.hasFeedForwardBias
      ? (
        [Float](repeating: 0, count: configuration.intermediateSize),
        [Float](repeating: 0, count: configuration.intermediateSize)
      ) : nil
    down = try PackedMatrix(
      randomRows: hidden, columns: configuration.intermediateSize, format: format, seed: seed &+ 3 << 24, pool: pool,
      arena: arena)
    downBias = zeros(hidden, configuration.hasFeedForwardBias)
  }
}

/// Random floats between -1 and 1 that are the same in every run.
private struct RepeatableGenerator {
  var state: UInt64

  mutating func nextFloat() -> Float {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Float(Int32(truncatingIfNeeded: state >> 32)) / 0x1p31
  }
}
