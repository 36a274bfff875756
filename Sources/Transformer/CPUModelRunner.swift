package import ModelFiles
package import Tensor

/// A model on the CPU.
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
  private let steps: LayerSteps
  /// `[logitRows, hidden]`, before the last norm and after it.
  private let selected, normalised: Activations
  /// `[logitRows, vocabulary]`.
  private let logits: Activations
  /// `[rows, hidden]` each; made when they are first wanted.
  private var tapped: [Activations] = []
  /// `[rows, hidden]`, before the last norm and after it; made when they are first wanted.
  private var hidden: (selected: Activations, normalised: Activations)?

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
      positions: limits.positions, stateSlots: configuration.recurrence == nil ? 0 : limits.stateSlotCount,
      windows: limits.windowBlocks.flatMap { count in
        configuration.largestWindow.map { WindowCapacity(window: $0, blockCount: count) }
      }, taps: 0..<configuration.layerCount + 1, givesHiddenStates: true, experts: ExpertLayout(configuration))
    steps = try LayerSteps(
      configuration, limits: limits, pool: pool, instructionSet: instructionSet, cacheFormat: cacheFormat)
    selected = try Activations(rowCapacity: limits.logitRows, columns: configuration.hiddenSize)
    normalised = try Activations(rowCapacity: limits.logitRows, columns: configuration.hiddenSize)
    logits = try Activations(rowCapacity: limits.logitRows, columns: configuration.vocabularySize)
  }

  /// Memory by owner, in bytes.
  package var memory: RunnerMemory {
    RunnerMemory(
      packedWeights: weights.packedByteCount, packedHead: weights.output.matrix.byteCount,
      packedExperts: weights.layers.reduce(0) { $0 + $1.feedForward.expertByteCount },
      keyValueCache: steps.keyValueByteCount, states: steps.recurrence?.storage.byteCount ?? 0)
  }

  /// Whether products are of integers.
  package var isQuantised: Bool { weights.layers.contains { $0.matrices.last?.format != .bfloat16 } }

  /// The weights' name in the cache they were loaded through; equal contents in one format have one name.
  package var cacheKey: String? { weights.cacheKey }

  /// Hears how long each kind of operation takes; `nil` outside of benchmarks.
  package var stopwatch: PassStopwatch? {
    get { steps.stopwatch }
    set { steps.stopwatch = newValue }
  }

  /// Fills the K/V memory with random values, so that a benchmark's passes read real memory at any position.
  package func fillKeyValueCacheRandomly() { steps.fillKeyValueCacheRandomly() }

  /// The forward pass, top to bottom as the papers describe it.
  ///
  /// - Throws: `RunnerError`, also when the file that holds the embeddings was changed or cut short meanwhile.
  package func run(_ pass: Pass) throws(RunnerError) -> PassResult {
    try pass.check(against: capacity, vocabularySize: vocabularySize, choosing: choosing)
    let batch = pass.batch
    let taps = try room(forTaps: pass.taps.layers.count)
    stopwatch?.start()
    do { try weights.embedding.gather(batch.tokens, with: steps.operations, into: steps.residual) } catch {
      throw RunnerError(description: "\(error)")
    }
    if configuration.embeddingScale != 1 {
      steps.operations.scale(steps.residual, rowCount: batch.rowCount, by: configuration.embeddingScale)
    }
    steps.begin(batch)
    stopwatch?.lap(.embedding)
    for (index, layer) in weights.layers.enumerated() {
      tap(pass.taps, at: index, into: taps)
      steps.normalise(by: layer.mixer.norm)
      steps.mix(layer.mixer, index, next: layer.feedForward.first)
      let isLast = index + 1 == weights.layers.count
      steps.feedForward(
        layer.feedForward, next: isLast ? weights.output.matrix : weights.layers[index + 1].mixer.inputs[0])
    }
    tap(pass.taps, at: weights.layers.count, into: taps)
    steps.operations.copyRows(batch.logitRows, of: steps.residual, into: selected)
    steps.operations.rmsNorm(
      selected, rowCount: batch.logitRows.count, weight: weights.output.norm, epsilon: configuration.rmsNormEpsilon,
      into: normalised)
    stopwatch?.lap(.norms)
    steps.operations.linear(normalised, rowCount: batch.logitRows.count, weight: weights.output.matrix, into: logits)
    if let cap = configuration.logitSoftCap {
      steps.operations.softCap(logits, rowCount: batch.logitRows.count, cap: cap)
    }
    stopwatch?.lap(.head)
    return PassResult(
      logits: logits, taps: taps, hidden: try hiddenStates(of: pass.hiddenRows), expertCount: steps.touchedExperts)
  }

  /// The residual streams of `rows` after the last norm; `nil` for none.
  private func hiddenStates(of rows: [Int]) throws(RunnerError) -> Activations? {
    guard !rows.isEmpty else { return nil }
    do {
      let room =
        try hidden
        ?? (
          Activations(rowCapacity: capacity.rows, columns: configuration.hiddenSize),
          Activations(rowCapacity: capacity.rows, columns: configuration.hiddenSize)
        )
      hidden = room
      steps.operations.copyRows(rows, of: steps.residual, into: room.0)
      steps.operations.rmsNorm(
        room.0, rowCount: rows.count, weight: weights.finalNorm, epsilon: configuration.rmsNormEpsilon, into: room.1)
      return room.1
    } catch { throw RunnerError(description: "\(error)") }
  }

  /// Room for the residual streams of `count` layers.
  private func room(forTaps count: Int) throws(RunnerError) -> [Activations] {
    do {
      while tapped.count < count {
        tapped.append(try Activations(rowCapacity: capacity.rows, columns: configuration.hiddenSize))
      }
    } catch { throw RunnerError(description: "\(error)") }
    return Array(tapped.prefix(count))
  }

  /// Keeps the residual stream as it enters layer `index`, where it is wanted.
  private func tap(_ taps: Taps, at index: Int, into kept: [Activations]) {
    guard let place = taps.layers.firstIndex(of: index) else { return }
    steps.operations.copyRows(taps.rows, of: steps.residual, into: kept[place])
  }
}
