package import ModelFiles
package import Tensor

/// Qwen3, Qwen2.5 and Llama on the CPU.
package final class CPUModelRunner: ModelRunner {
  /// What the model is.
  package let configuration: ModelConfiguration
  /// Number of logits per row.
  package let vocabularySize: Int
  /// What was reserved.
  package let capacity: RunnerCapacity
  /// What the matrices became in memory.
  package let quantization: Quantization

  private let weights: DecoderWeights
  private let storage: KVStorage
  private let operations: TensorOperations
  private let buffers: PassBuffers
  private let rotary: (inverseFrequencies: [Float], attentionScale: Float)

  /// Packs the checkpoint's weights and reserves the K/V memory.
  ///
  /// - Parameters:
  ///   - checkpoint: the tensors of a Hugging Face model directory.
  ///   - configuration: the directory's `config.json`.
  ///   - quantization: what matrices become in memory.
  ///   - limits: sizes of one pass and of the K/V memory.
  ///   - pool: the threads to compute on.
  ///   - instructionSet: which kernels to use; the best that the machine has when `nil`.
  ///   - cacheFormat: how keys and values are kept.
  ///   - cache: where packed weights are kept from start to start.
  ///   - progress: called with the packed share of the weights, from 0 to 1.
  /// - Throws: `ModelFileError` for tensors that are missing or have another shape than the configuration says.
  package convenience init(
    checkpoint: Checkpoint, configuration: ModelConfiguration, quantization: Quantization = .none, limits: RunnerLimits,
    pool: WorkerPool, instructionSet: InstructionSet? = nil, cacheFormat: KVCacheFormat = .float16,
    cache: WeightCache? = nil, progress: (Double) -> Void = { _ in }
  ) throws {
    let weights = try DecoderWeights(
      checkpoint, configuration: configuration, quantization: quantization, pool: pool, cache: cache, progress: progress
    )
    try self.init(
      weights, configuration: configuration, quantization: quantization, limits: limits, pool: pool,
      instructionSet: instructionSet,
      cacheFormat: cacheFormat)
  }

  /// A model of the given shape with random weights and a KV cache full of random values, to measure what it costs.
  package convenience init(
    randomWeightsFor configuration: ModelConfiguration, quantization: Quantization, limits: RunnerLimits,
    pool: WorkerPool,
    instructionSet: InstructionSet? = nil, cacheFormat: KVCacheFormat = .float16, progress: (Double) -> Void = { _ in }
  ) throws {
    let weights = try DecoderWeights(
      randomFor: configuration, quantization: quantization, pool: pool, progress: progress)
    try self.init(
      weights, configuration: configuration, quantization: quantization, limits: limits, pool: pool,
      instructionSet: instructionSet,
      cacheFormat: cacheFormat)
  }

  private init(
    _ weights: DecoderWeights, configuration: ModelConfiguration, quantization: Quantization, limits: RunnerLimits,
    pool: WorkerPool, instructionSet: InstructionSet?, cacheFormat: KVCacheFormat
  ) throws {
    self.configuration = configuration
    self.quantization = quantization
    self.weights = weights
    vocabularySize = configuration.vocabularySize
    let blockCount = limits.blockCount(ofSize: KVStorage.blockSize)
    capacity = RunnerCapacity(
      rows: limits.rows, logitRows: limits.logitRows, blockCount: blockCount, blockSize: KVStorage.blockSize,
      positions: limits.positions, taps: 0..<configuration.layerCount + 1)
    storage = try KVStorage(
      layerCount: configuration.layerCount, blockCount: blockCount, kvHeadCount: configuration.kvHeadCount,
      headSize: configuration.headSize, format: cacheFormat)
    operations = try TensorOperations(
      pool: pool, instructionSet: instructionSet, rowCapacity: max(limits.rows, limits.logitRows),
      columnCapacity: max(
        configuration.hiddenSize, configuration.intermediateSize, configuration.headCount * configuration.headSize))
    buffers = try PassBuffers(configuration: configuration, rows: limits.rows, logitRows: limits.logitRows)
    rotary = configuration.rotaryFrequencies()
  }

  /// Memory by owner, in bytes.
  package var memory: RunnerMemory {
    RunnerMemory(
      packedWeights: weights.packedByteCount, packedHead: weights.head.byteCount, keyValueCache: storage.byteCount)
  }

  /// Whether products are of integers.
  package var isQuantised: Bool { weights.layers.contains { $0.feedForward.down.format != .bfloat16 } }

  /// The weights' name in the cache they were loaded through; equal contents in one format have one name.
  package var cacheKey: String? { weights.cacheKey }

  /// Hears how long each kind of operation takes; `nil` outside of benchmarks.
  package var stopwatch: PassStopwatch?

  /// Fills the K/V memory with random values, so that a benchmark's passes read real memory at any position.
  package func fillKeyValueCacheRandomly() { storage.fillRandomly() }

  /// The forward pass, top to bottom as the papers describe it.
  ///
  /// - Throws: `RunnerError`, also when the file that holds the embeddings was changed or cut short meanwhile.
  package func run(_ pass: Pass) throws(RunnerError) -> PassResult {
    try pass.check(against: capacity, vocabularySize: vocabularySize, choosing: choosing)
    let batch = pass.batch
    let rows = batch.rowCount
    let taps: [Activations]
    do { taps = try buffers.taps(pass.taps.layers.count) } catch { throw RunnerError(description: "\(error)") }
    let slices = batch.slices.map {
      AttentionSlice(firstRow: $0.firstRow, rowCount: $0.rowCount, firstPosition: $0.firstPosition, blocks: $0.blocks)
    }
    stopwatch?.start()
    switch weights.embedding {
    case .checkpoint(let table):
      // Read, not mapped: the file may be cut short or written to while requests are served.
      let rows: TensorView
      do { rows = try table.copiedRows(batch.tokens) } catch { throw RunnerError(description: "\(error)") }
      operations.gatherRows(of: rows, tokens: batch.tokens.indices.map { Int32($0) }, into: buffers.residual)
    case .random(let table):
      operations.copyRows(batch.tokens.map { Int($0) % table.rowCapacity }, of: table, into: buffers.residual)
    }
    operations.rotaryAngles(
      positions: batch.positions, inverseFrequencies: rotary.inverseFrequencies, scale: rotary.attentionScale,
      into: buffers.cosines, sin: buffers.sines)
    stopwatch?.lap(.embedding)
    for (index, layer) in weights.layers.enumerated() {
      tap(pass.taps, at: index, into: taps)
      attend(layer, index, rows: rows, slices: slices)
      let isLast = index + 1 == weights.layers.count
      let next = isLast ? weights.head : weights.layers[index + 1].attention.queryKeyValue[0]
      feedForward(layer.feedForward, rows: rows, next: next)
    }
    tap(pass.taps, at: weights.layers.count, into: taps)
    operations.copyRows(batch.logitRows, of: buffers.residual, into: buffers.selected)
    let wanted = batch.logitRows.count
    operations.rmsNorm(
      buffers.selected, rowCount: wanted, weight: weights.finalNorm, epsilon: configuration.rmsNormEpsilon,
      into: buffers.normalised)
    stopwatch?.lap(.norms)
    operations.linear(buffers.normalised, rowCount: wanted, weight: weights.head, into: buffers.logits)
    stopwatch?.lap(.head)
    return PassResult(logits: buffers.logits, taps: taps)
  }

  /// Keeps the residual stream as it enters layer `index`, where it is wanted.
  private func tap(_ taps: Taps, at index: Int, into kept: [Activations]) {
    guard let place = taps.layers.firstIndex(of: index) else { return }
    operations.copyRows(taps.rows, of: buffers.residual, into: kept[place])
  }

  /// residual += output(attention(norm(residual)))
  private func attend(_ layer: DecoderLayerWeights, _ index: Int, rows: Int, slices: [AttentionSlice]) {
    let (heads, kvHeads, headSize) = (configuration.headCount, configuration.kvHeadCount, configuration.headSize)
    let weights = layer.attention
    operations.rmsNorm(
      buffers.residual, rowCount: rows, weight: weights.norm, epsilon: configuration.rmsNormEpsilon,
      into: buffers.normalised)
    stopwatch?.lap(.norms)
    operations.linear(
      buffers.normalised, rowCount: rows, weights: weights.queryKeyValue, bias: weights.queryKeyValueBias,
      into: buffers.queryKeyValue, next: weights.output)
    stopwatch?.lap(.queryKeyValue)
    operations.normRotateStore(
      buffers.queryKeyValue, rowCount: rows, headCount: heads, kvHeadCount: kvHeads, headSize: headSize,
      queryNorm: weights.queryNorm, keyNorm: weights.keyNorm, epsilon: configuration.rmsNormEpsilon,
      cos: buffers.cosines, sin: buffers.sines, slices: slices, storage: storage, layer: index)
    stopwatch?.lap(.rotary)
    operations.attention(
      buffers.queryKeyValue, headCount: heads, kvHeadCount: kvHeads, headSize: headSize,
      scale: 1 / Float(headSize).squareRoot(), slices: slices, storage: storage, layer: index, into: buffers.mixed)
    stopwatch?.lap(.attention)
    operations.linearAdding(
      buffers.mixed, rowCount: rows, weight: weights.output, bias: weights.outputBias, to: buffers.residual,
      next: layer.feedForward.gateUp)
    stopwatch?.lap(.attentionOutput)
  }

  /// residual += down(silu(gate(norm(residual))) · up(norm(residual)))
  private func feedForward(_ weights: GatedWeights, rows: Int, next: PackedMatrix) {
    operations.rmsNorm(
      buffers.residual, rowCount: rows, weight: weights.norm, epsilon: configuration.rmsNormEpsilon,
      into: buffers.normalised)
    stopwatch?.lap(.norms)
    operations.gatedLinear(
      buffers.normalised, rowCount: rows, weight: weights.gateUp, bias: weights.gateUpBias, into: buffers.gated,
      next: weights.down)
    stopwatch?.lap(.gateUp)
    operations.linearAdding(
      buffers.gated, rowCount: rows, weight: weights.down, bias: weights.downBias, to: buffers.residual, next: next)
    stopwatch?.lap(.down)
  }
}

/// Sizes that a runner reserves memory for.
package struct RunnerLimits: Sendable, Equatable {
  /// Most rows in one pass.
  package var rows: Int
  /// Most rows of one pass that can ask for logits.
  package var logitRows: Int
  /// Sequences that can be in the K/V memory at full length at one time.
  package var sequences: Int
  /// Longest sequence, in positions.
  package var positions: Int
  /// KV blocks; room for all sequences at full length when `nil`.
  package var blocks: Int?

  /// Limits with a chunk of 256 rows, room for 32 rows of logits and one sequence.
  package init(rows: Int = 256, logitRows: Int = 32, sequences: Int = 1, positions: Int, blocks: Int? = nil) {
    self.rows = rows
    self.logitRows = logitRows
    self.sequences = sequences
    self.positions = positions
    self.blocks = blocks
  }

  /// KV blocks of `size` positions.
  package func blockCount(ofSize size: Int) -> Int { blocks ?? (positions + size - 1) / size * sequences }
}

/// Activations of one pass, reused by every pass.
private final class PassBuffers {
  /// `[rows, hidden]`.
  let residual, normalised: Activations
  /// `[rows, (heads + 2 · kvHeads) · headSize]`.
  let queryKeyValue: Activations
  /// `[rows, heads · headSize]`.
  let mixed: Activations
  /// `[rows, intermediate]`.
  let gated: Activations
  /// `[rows, headSize / 2]`.
  let cosines, sines: Activations
  /// `[logitRows, hidden]`.
  let selected: Activations
  /// `[logitRows, vocabulary]`.
  let logits: Activations
  /// `[rows, hidden]` each; made when they are first wanted.
  private var tapped: [Activations] = []

  /// Room for the residual streams of `count` layers.
  func taps(_ count: Int) throws -> [Activations] {
    while tapped.count < count {
      tapped.append(try Activations(rowCapacity: residual.rowCapacity, columns: residual.columns))
    }
    return Array(tapped.prefix(count))
  }

  init(configuration: ModelConfiguration, rows: Int, logitRows: Int) throws {
    let (hidden, headSize) = (configuration.hiddenSize, configuration.headSize)
    residual = try Activations(rowCapacity: rows, columns: hidden)
    normalised = try Activations(rowCapacity: max(rows, logitRows), columns: hidden)
    queryKeyValue = try Activations(
      rowCapacity: rows, columns: (configuration.headCount + 2 * configuration.kvHeadCount) * headSize)
    mixed = try Activations(rowCapacity: rows, columns: configuration.headCount * headSize)
    gated = try Activations(rowCapacity: rows, columns: configuration.intermediateSize)
    cosines = try Activations(rowCapacity: rows, columns: headSize / 2)
    sines = try Activations(rowCapacity: rows, columns: headSize / 2)
    selected = try Activations(rowCapacity: logitRows, columns: hidden)
    logits = try Activations(rowCapacity: logitRows, columns: configuration.vocabularySize)
  }
}
