package import ModelFiles
package import Tensor

/// A DFlash or a DSpark head on the CPU: it proposes a block of tokens in one pass.
///
/// What the target's streams of a position are joined to gives each layer the keys and values of that position, which
/// depend on nothing else and lie in the blocks there. A pass brings the last known token and masks after it; their rows
/// see all positions before the block, and one another. What they leave in the blocks is written over when the target has
/// computed these positions, or by the next pass.
package final class CPUBlockHeadRunner: CPUHead {
  /// Number of the target's logits: those of tokens that the head does not have are minus infinity.
  package var vocabularySize: Int { output.vocabularySize }
  package let capacity: RunnerCapacity
  package let tappedLayers: [Int]
  package let slots: ProposalSlots?
  package var correctsProposals: Bool { correction != nil }

  private let weights: HeadWeights
  private let steps: LayerSteps
  private let fusion: StreamFusion
  private let output: HeadOutput
  /// `nil` for heads whose proposals do not depend on one another.
  private let correction: ProposalCorrection?

  /// Packs the head's weights and reserves its memory.
  ///
  /// - Parameters:
  ///   - target: the configuration and the checkpoint of the target, which has what the head shares.
  ///   - limits: sizes of one pass and of the K/V memory, with as many blocks as the target has.
  /// - Throws: `ModelFileError` when the head does not fit the target.
  package convenience init(
    _ head: Head, target: (configuration: ModelConfiguration, checkpoint: Checkpoint), quantization: Quantization,
    limits: RunnerLimits, pool: WorkerPool, instructionSet: InstructionSet? = nil,
    cacheFormat: KVCacheFormat = .float16, cache: WeightCache? = nil, progress: (Double) -> Void = { _ in }
  ) throws {
    try head.check(fits: target.configuration)
    let weights = try HeadWeights(
      head, target: target, quantization: quantization, pool: pool, cache: cache, progress: progress)
    try self.init(
      weights, head.configuration, targetTokens: head.targetTokens, target: target.configuration, limits: limits,
      pool: pool, instructionSet: instructionSet, cacheFormat: cacheFormat)
  }

  /// A DFlash head of the given shape with random weights, to measure what it costs.
  package convenience init(
    randomWeightsFor configuration: HeadConfiguration, target: ModelConfiguration, quantization: Quantization,
    limits: RunnerLimits, pool: WorkerPool, instructionSet: InstructionSet? = nil, cacheFormat: KVCacheFormat = .float16
  ) throws {
    let weights = try HeadWeights(randomFor: configuration, quantization: quantization, pool: pool)
    try self.init(
      weights, configuration, targetTokens: nil, target: target, limits: limits, pool: pool,
      instructionSet: instructionSet, cacheFormat: cacheFormat)
  }

  private init(
    _ weights: HeadWeights, _ configuration: HeadConfiguration, targetTokens: [Int32]?, target: ModelConfiguration,
    limits: RunnerLimits, pool: WorkerPool, instructionSet: InstructionSet?, cacheFormat: KVCacheFormat
  ) throws {
    self.weights = weights
    slots = configuration.block.map {
      ProposalSlots(maskToken: $0.maskToken, most: $0.most, predictsNext: $0.predictsNext)
    }
    tappedLayers = configuration.taps(layerCount: target.layerCount)
    capacity = RunnerCapacity(
      rows: limits.rows, logitRows: limits.logitRows, blockCount: limits.blockCount(ofSize: KVStorage.blockSize),
      blockSize: KVStorage.blockSize, positions: limits.positions)
    steps = try LayerSteps(
      configuration.layers, limits: limits, pool: pool, instructionSet: instructionSet, cacheFormat: cacheFormat,
      widestInput: max(StreamFusion.width(of: configuration), configuration.block?.correction?.rank ?? 0),
      sights: configuration.block?.sights ?? [],
      hasContext: true)
    fusion = try StreamFusion(configuration, weights.fusion, rows: limits.rows)
    output = try HeadOutput(
      configuration, targetTokens: targetTokens, weights.output, vocabularySize: target.vocabularySize,
      rows: limits.logitRows)
    correction = try weights.correction.map {
      try ProposalCorrection($0, of: configuration, rows: limits.logitRows)
    }
  }

  package var memory: RunnerMemory {
    RunnerMemory(
      packedWeights: weights.packedByteCount, packedHead: weights.output.matrix.byteCount,
      keyValueCache: steps.keyValueByteCount)
  }

  package var cacheKey: String? { weights.cacheKey }

  package func fillKeyValueCacheRandomly() { steps.fillKeyValueCacheRandomly() }

  package func take(_ taken: [Activations], _ shares: [StreamShare]) throws(RunnerError) {
    for share in shares { try share.check(blockCount: capacity.blockCount, blockSize: capacity.blockSize) }
    var (rows, slices): ([Int], [AttentionSlice]) = ([], [])
    for share in shares {
      var first = 0
      while first < share.rows.count {
        let count = min(share.rows.count - first, capacity.rows - rows.count)
        slices.append(
          AttentionSlice(
            firstRow: rows.count, rowCount: count, firstPosition: share.firstPosition + first, blocks: share.blocks))
        rows += share.rows.lowerBound + first..<share.rows.lowerBound + first + count
        first += count
        if rows.count == capacity.rows {
          store(taken, rows, slices)
          (rows, slices) = ([], [])
        }
      }
    }
    if !rows.isEmpty { store(taken, rows, slices) }
  }

  /// Writes the keys and values that `rows` of the streams give.
  private func store(_ taken: [Activations], _ rows: [Int], _ slices: [AttentionSlice]) {
    let context = fusion.join(taken, rows, with: steps.operations)
    steps.begin(slices)
    for (index, layer) in weights.layers.enumerated() {
      if case .attention(let attention) = layer.mixer { steps.storeContext(attention, index, of: context) }
    }
  }

  package func run(_ pass: Pass) throws(RunnerError) -> PassResult {
    try pass.check(against: capacity, vocabularySize: vocabularySize, choosing: choosing)
    let (batch, operations) = (pass.batch, steps.operations)
    do { try weights.embedding.gather(batch.tokens, with: operations, into: steps.residual) } catch {
      throw RunnerError(description: "\(error)")
    }
    if let mask = weights.maskEmbedding, let slots {
      for (row, token) in batch.tokens.enumerated() where token == slots.maskToken {
        steps.residual.setRow(row, to: mask)
      }
    }
    steps.begin(batch)
    for (index, layer) in weights.layers.enumerated() {
      steps.normalise(by: layer.mixer.norm)
      steps.mix(layer.mixer, index, next: layer.feedForward.first)
      let isLast = index + 1 == weights.layers.count
      steps.feedForward(
        layer.feedForward, next: isLast ? weights.output.matrix : weights.layers[index + 1].mixer.inputs[0])
    }
    let logits = output.logits(of: batch.logitRows, in: steps.residual, with: operations)
    correction?.begin(output.selected, rowCount: batch.logitRows.count, with: operations)
    return PassResult(logits: logits)
  }

  package func correct(_ proposals: [UncorrectedProposal]) throws(RunnerError) -> [Double?] {
    try correction?.correct(proposals, in: output, with: steps.operations) ?? proposals.map { _ in nil }
  }
}
