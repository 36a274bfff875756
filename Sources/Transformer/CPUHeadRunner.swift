package import ModelFiles
package import Tensor

/// An EAGLE-3 head on the CPU.
///
/// The row of position `p` has the token of `p` and the stream of `p − 1`; its keys and values lie in the blocks at `p`, so
/// that they depend on nothing that comes later, and sequences that share a block of the target share the head's. Position
/// 0 has no stream before it: attention leaves it out.
package final class CPUHeadRunner: HeadRunner {
  /// Number of the target's logits: those of tokens that the head does not have are minus infinity.
  package let vocabularySize: Int
  package let capacity: RunnerCapacity
  package let tappedLayers: [Int]

  private let configuration: HeadConfiguration
  private let weights: HeadWeights
  private let targetTokens: [Int32]?
  private let steps: LayerSteps
  /// The stream of every position of every block, `[blocks · blockSize, hidden]`.
  private let streams: Activations
  /// `[rows, streams · target hidden]`.
  private let joined: Activations
  /// `[rows, target hidden]`.
  private let tapped: Activations
  /// `[rows, hidden]`.
  private let embedded, fused: Activations
  /// Embedding and stream side by side, `[rows, 2 · hidden]`.
  private let paired: Activations
  /// `[logitRows, hidden]`.
  private let selected, normalised: Activations
  /// `[logitRows, head's vocabulary]`, and the same by the target's tokens.
  private let ownLogits, logits: Activations

  /// Packs the head's weights and reserves its memory.
  ///
  /// - Parameters:
  ///   - target: the configuration and the checkpoint of the target, which has what the head shares.
  ///   - limits: sizes of one pass and of the K/V memory, with as many blocks as the target has.
  /// - Throws: `ModelFileError` when the head does not fit the target.
  package init(
    _ head: Head, target: (configuration: ModelConfiguration, checkpoint: Checkpoint), quantization: Quantization,
    limits: RunnerLimits, pool: WorkerPool, instructionSet: InstructionSet? = nil,
    cacheFormat: KVCacheFormat = .float16, cache: WeightCache? = nil, progress: (Double) -> Void = { _ in }
  ) throws {
    try head.check(fits: target.configuration)
    configuration = head.configuration
    targetTokens = head.targetTokens
    vocabularySize = target.configuration.vocabularySize
    tappedLayers = configuration.taps(layerCount: target.configuration.layerCount)
    weights = try HeadWeights(
      head, target: target.checkpoint, quantization: quantization, pool: pool, cache: cache, progress: progress)
    let (layers, hidden) = (configuration.layers, configuration.layers.hiddenSize)
    let blockCount = limits.blockCount(ofSize: KVStorage.blockSize)
    capacity = RunnerCapacity(
      rows: limits.rows, logitRows: limits.logitRows, blockCount: blockCount, blockSize: KVStorage.blockSize,
      positions: limits.positions)
    let width = configuration.streamCount * configuration.targetHiddenSize
    steps = try LayerSteps(
      layers, limits: limits, pool: pool, instructionSet: instructionSet, cacheFormat: cacheFormat,
      widestInput: max(width, 2 * hidden), skippedPositions: 1)
    streams = try Activations(rowCapacity: blockCount * KVStorage.blockSize, columns: hidden)
    joined = try Activations(rowCapacity: limits.rows, columns: width)
    tapped = try Activations(rowCapacity: limits.rows, columns: configuration.targetHiddenSize)
    embedded = try Activations(rowCapacity: limits.rows, columns: hidden)
    fused = try Activations(rowCapacity: limits.rows, columns: hidden)
    paired = try Activations(rowCapacity: limits.rows, columns: 2 * hidden)
    selected = try Activations(rowCapacity: limits.logitRows, columns: hidden)
    normalised = try Activations(rowCapacity: limits.logitRows, columns: hidden)
    logits = try Activations(rowCapacity: limits.logitRows, columns: vocabularySize)
    if targetTokens == nil {
      ownLogits = logits
    } else {
      ownLogits = try Activations(rowCapacity: limits.logitRows, columns: configuration.vocabularySize)
      let none = [Float](repeating: -.infinity, count: vocabularySize)
      for row in 0..<limits.logitRows { logits.setRow(row, to: none) }
    }
  }

  package var memory: RunnerMemory {
    RunnerMemory(
      packedWeights: weights.packedByteCount, packedHead: weights.output.matrix.byteCount,
      keyValueCache: steps.storage.byteCount + streams.byteCount)
  }

  package var cacheKey: String? { weights.cacheKey }

  private var epsilon: Float { configuration.layers.rmsNormEpsilon }

  /// Bytes of the stream of one position.
  package static func streamByteCount(of head: HeadConfiguration) -> Int {
    Activations.byteCount(rows: 1, columns: head.layers.hiddenSize)
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
      for (index, stream) in taken.enumerated() { join(stream, part.map(\.row), as: index) }
      if configuration.streamNorm == .joined {
        steps.operations.rmsNorm(
          joined, rowCount: part.count, weight: weights.streamNorms[0], epsilon: epsilon, into: joined)
      }
      steps.operations.linear(joined, rowCount: part.count, weight: weights.fusion, into: fused)
      steps.operations.scatterRows(fused, into: streams, rows: part.map(\.stream))
    }
  }

  /// Puts rows of a stream beside those of the others, normalised by itself where the head has such norms.
  private func join(_ stream: Activations, _ rows: [Int], as index: Int) {
    let column = index * configuration.targetHiddenSize
    guard configuration.streamNorm == .each else {
      steps.operations.copyRows(rows, of: stream, into: joined, firstColumn: column)
      return
    }
    steps.operations.copyRows(rows, of: stream, into: tapped)
    steps.operations.rmsNorm(
      tapped, rowCount: rows.count, weight: weights.streamNorms[index], epsilon: epsilon, into: joined,
      firstColumn: column)
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
    operations.rmsNorm(
      embedded, rowCount: batch.rowCount, weight: weights.embeddingNorm, epsilon: epsilon, into: paired)
    operations.rmsNorm(
      steps.residual, rowCount: batch.rowCount, weight: weights.streamNorm, epsilon: epsilon, into: paired,
      firstColumn: configuration.layers.hiddenSize)
    if let norm = weights.residualNorm {
      operations.rmsNorm(
        steps.residual, rowCount: batch.rowCount, weight: norm, epsilon: epsilon, into: steps.residual)
    }
    for (index, layer) in weights.layers.enumerated() {
      if index > 0 { steps.normalise(by: layer.attention.norm) }
      steps.attend(layer.attention, index, of: index == 0 ? paired : nil, next: layer.feedForward.gateUp)
      let isLast = index + 1 == weights.layers.count
      steps.feedForward(
        layer.feedForward, next: isLast ? weights.output.matrix : weights.layers[index + 1].attention.queryKeyValue[0])
    }
    let wanted = batch.logitRows.count
    operations.copyRows(batch.logitRows, of: steps.residual, into: selected)
    operations.rmsNorm(selected, rowCount: wanted, weight: weights.output.norm, epsilon: epsilon, into: normalised)
    operations.linear(normalised, rowCount: wanted, weight: weights.output.matrix, into: ownLogits)
    if let targetTokens {
      operations.scatterColumns(ownLogits, rowCount: wanted, into: logits, columns: targetTokens)
    }
    if let norm = weights.recyclingNorm {
      operations.rmsNorm(selected, rowCount: wanted, weight: norm, epsilon: epsilon, into: selected)
    }
    operations.scatterRows(selected, into: streams, rows: batch.logitRows.map { own[$0] })
    return PassResult(logits: logits)
  }
}
