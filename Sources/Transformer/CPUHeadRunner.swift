package import ModelFiles
package import Tensor

/// A head on the CPU, whose steps can be timed without sequences to read.
package protocol CPUHead: HeadRunner {
  /// Fills the K/V memory as if sequences had been read.
  func fillKeyValueCacheRandomly()
}

/// An EAGLE-3 head, or the MTP layer of a model, on the CPU.
///
/// An EAGLE-3 head joins streams of the target when it takes them over, and its first layer has an embedding and a stream
/// as inputs. An MTP layer takes over the target's hidden state after the last norm, and a matrix joins it and an embedding
/// to the layer's input.
///
/// The row of position `p` has the token of `p` and the stream of `p − 1`; its keys and values lie in the blocks at `p`, so
/// that they depend on nothing that comes later, and sequences that share a block of the target share the head's. Position
/// 0 has no stream before it: attention leaves it out.
package final class CPUHeadRunner: CPUHead {
  /// Number of the target's logits: those of tokens that the head does not have are minus infinity.
  package var vocabularySize: Int { output.vocabularySize }
  package let capacity: RunnerCapacity
  package let tappedLayers: [Int]
  /// None: it drafts token by token.
  package var slots: ProposalSlots? { nil }

  private let configuration: HeadConfiguration
  private let weights: HeadWeights
  private let steps: LayerSteps
  /// `nil` where streams are not joined.
  private let fusion: StreamFusion?
  private let targetEpsilon: Float
  private let output: HeadOutput
  /// The stream of every position of every block, `[blocks · blockSize, hidden]`.
  private let streams: Activations
  /// `[rows, hidden]`.
  private let embedded: Activations
  /// Embedding and stream side by side, `[rows, 2 · hidden]`.
  private let paired: Activations

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

  /// A head of the given shape with random weights, to measure what it costs.
  package convenience init(
    randomWeightsFor configuration: HeadConfiguration, target: ModelConfiguration, quantization: Quantization,
    limits: RunnerLimits, pool: WorkerPool, instructionSet: InstructionSet? = nil, cacheFormat: KVCacheFormat = .float16
  ) throws {
    let weights = try HeadWeights(randomFor: configuration, quantization: quantization, pool: pool)
    let hasOwnTokens = configuration.vocabularySize < target.vocabularySize
    try self.init(
      weights, configuration, targetTokens: hasOwnTokens ? (0..<Int32(configuration.vocabularySize)).map { $0 } : nil,
      target: target, limits: limits, pool: pool, instructionSet: instructionSet, cacheFormat: cacheFormat)
  }

  private init(
    _ weights: HeadWeights, _ configuration: HeadConfiguration, targetTokens: [Int32]?, target: ModelConfiguration,
    limits: RunnerLimits, pool: WorkerPool, instructionSet: InstructionSet?, cacheFormat: KVCacheFormat
  ) throws {
    (self.configuration, self.weights) = (configuration, weights)
    tappedLayers = configuration.taps(layerCount: target.layerCount)
    let (layers, hidden) = (configuration.layers, configuration.layers.hiddenSize)
    let blockCount = limits.blockCount(ofSize: KVStorage.blockSize)
    capacity = RunnerCapacity(
      rows: limits.rows, logitRows: limits.logitRows, blockCount: blockCount, blockSize: KVStorage.blockSize,
      positions: limits.positions)
    steps = try LayerSteps(
      layers, limits: limits, pool: pool, instructionSet: instructionSet, cacheFormat: cacheFormat,
      widestInput: max(StreamFusion.width(of: configuration), 2 * hidden, target.hiddenSize),
      sights: Array(repeating: .causal(skipping: 1), count: layers.layerCount))
    streams = try Activations(rowCapacity: blockCount * KVStorage.blockSize, columns: hidden)
    fusion =
      weights.targetNorm == nil ? try StreamFusion(configuration, weights.fusion, rows: limits.rows) : nil
    targetEpsilon = target.rmsNormEpsilon
    output = try HeadOutput(
      configuration, targetTokens: targetTokens, weights.output, vocabularySize: target.vocabularySize,
      rows: limits.logitRows)
    embedded = try Activations(rowCapacity: limits.rows, columns: hidden)
    paired = try Activations(rowCapacity: limits.rows, columns: 2 * hidden)
  }

  package var memory: RunnerMemory {
    RunnerMemory(
      packedWeights: weights.packedByteCount, packedHead: weights.output.matrix.byteCount,
      keyValueCache: steps.keyValueByteCount + streams.byteCount)
  }

  package var cacheKey: String? { weights.cacheKey }

  package func fillKeyValueCacheRandomly() { steps.fillKeyValueCacheRandomly() }

  private var epsilon: Float { configuration.layers.rmsNormEpsilon }

  /// Bytes of the stream of one position.
  package static func streamByteCount(of head: HeadConfiguration) -> Int {
    head.block == nil ? Activations.byteCount(rows: 1, columns: head.layers.hiddenSize) : 0
  }

  package func take(_ taken: [Activations], _ shares: [StreamShare]) throws(RunnerError) {
    var places: [(row: Int, stream: Int)] = []
    for share in shares {
      for (offset, row) in share.rows.enumerated() {
        places.append((row, try streamRow(of: share.firstPosition + offset, in: share.blocks)))
      }
    }
    for first in stride(from: 0, to: places.count, by: capacity.rows) {
      let part = places[first..<min(first + capacity.rows, places.count)]
      let streams = streams(of: taken, part.map(\.row))
      steps.operations.scatterRows(streams, into: self.streams, rows: part.map(\.stream))
    }
  }

  /// What rows of the target leave for their positions, `[rows, hidden]`.
  private func streams(of taken: [Activations], _ rows: [Int]) -> Activations {
    guard let norm = weights.targetNorm else {
      return fusion?.join(taken, rows, with: steps.operations) ?? embedded
    }
    steps.operations.copyRows(rows, of: taken[0], into: embedded)
    steps.operations.rmsNorm(embedded, rowCount: rows.count, weight: norm, epsilon: targetEpsilon, into: embedded)
    return embedded
  }

  private func streamRow(of position: Int, in blocks: [Int32]) throws(RunnerError) -> Int {
    let (index, offset) = position.quotientAndRemainder(dividingBy: capacity.blockSize)
    guard blocks.indices.contains(index), blocks[index] >= 0, blocks[index] < capacity.blockCount else {
      throw RunnerError(
        description: "position \(position) lies in none of the \(capacity.blockCount) blocks that the head has")
    }
    return Int(blocks[index]) * capacity.blockSize + offset
  }

  package func run(_ pass: Pass) throws(RunnerError) -> PassResult {
    try pass.check(against: capacity, vocabularySize: vocabularySize, choosing: choosing)
    let (batch, operations) = (pass.batch, steps.operations)
    do { try weights.embedding.gather(batch.tokens, with: operations, into: embedded) } catch {
      throw RunnerError(description: "\(error)")
    }
    steps.begin(batch)
    var (before, own): ([Int], [Int]) = ([], [])
    for slice in batch.slices {
      for position in slice.firstPosition..<slice.firstPosition + slice.rowCount {
        own.append(try streamRow(of: position, in: slice.blocks))
        // Nobody sees position 0, so what it goes on from does not count.
        before.append(try streamRow(of: max(0, position - 1), in: slice.blocks))
      }
    }
    operations.copyRows(before, of: streams, into: steps.residual)
    let (hidden, isFirst) = (configuration.layers.hiddenSize, configuration.putsHiddenFirst)
    operations.rmsNorm(
      embedded, rowCount: batch.rowCount, weight: weights.embeddingNorm, epsilon: epsilon, into: paired,
      firstColumn: isFirst ? hidden : 0)
    operations.rmsNorm(
      steps.residual, rowCount: batch.rowCount, weight: weights.streamNorm, epsilon: epsilon, into: paired,
      firstColumn: isFirst ? 0 : hidden)
    let joins = weights.targetNorm != nil
    if joins {
      operations.linear(paired, rowCount: batch.rowCount, weight: weights.fusion.matrix, into: steps.residual)
    }
    if let norm = weights.residualNorm {
      operations.rmsNorm(
        steps.residual, rowCount: batch.rowCount, weight: norm, epsilon: epsilon, into: steps.residual)
    }
    for (index, layer) in weights.layers.enumerated() {
      let isPaired = index == 0 && !joins
      if !isPaired { steps.normalise(by: layer.mixer.norm) }
      steps.mix(layer.mixer, index, of: isPaired ? paired : nil, next: layer.feedForward.first)
      let isLast = index + 1 == weights.layers.count
      steps.feedForward(
        layer.feedForward, next: isLast ? weights.output.matrix : weights.layers[index + 1].mixer.inputs[0])
    }
    let logits = output.logits(of: batch.logitRows, in: steps.residual, with: operations)
    let selected = output.selected
    if let norm = weights.recyclingNorm {
      operations.rmsNorm(selected, rowCount: batch.logitRows.count, weight: norm, epsilon: epsilon, into: selected)
    }
    operations.scatterRows(selected, into: streams, rows: batch.logitRows.map { own[$0] })
    return PassResult(logits: logits)
  }
}
