internal import ModelFiles
internal import Tensor

/// The steps of a pass through layers, and the memory that they go through: what models and heads share.
final class LayerSteps {
  let operations: TensorOperations
  let storage: KVStorage
  /// `[rows, hidden]`.
  let residual: Activations
  /// Hears how long each kind of operation takes; `nil` outside of benchmarks.
  var stopwatch: PassStopwatch?

  private let configuration: ModelConfiguration
  private let rotary: (inverseFrequencies: [Float], attentionScale: Float)
  private let sights: [AttentionSight]
  /// `[rows, hidden]`.
  private let normalised: Activations
  /// `[rows, (heads + 2 · kvHeads) · headSize]`.
  private let queryKeyValue: Activations
  /// `[rows, heads · headSize]`.
  private let mixed: Activations
  /// `[rows, intermediate]`.
  private let gated: Activations
  /// `nil` where no layer has experts.
  private let experts: ExpertSteps?
  /// Keys and values of what is not in the residual stream, `[rows, 2 · kvHeads · headSize]`; `nil` where there is none.
  private let keyValue: Activations?
  /// `[rows, headSize / 2]`.
  private let cosines, sines: Activations
  /// The sequences' shares of the pass's rows.
  private var slices: [AttentionSlice] = []
  private var rows = 0

  /// - Parameters:
  ///   - widestInput: most columns of any matrix besides those of layers.
  ///   - sights: by layer, the positions that rows see; those up to their own where there is none.
  ///   - hasContext: whether keys and values are made of something besides the residual stream (`storeContext`).
  init(
    _ configuration: ModelConfiguration, limits: RunnerLimits, pool: WorkerPool, instructionSet: InstructionSet?,
    cacheFormat: KVCacheFormat, widestInput: Int = 0, sights: [AttentionSight] = [], hasContext: Bool = false
  ) throws {
    self.configuration = configuration
    self.sights = sights
    rotary = configuration.rotaryFrequencies()
    let (rows, hidden, headSize) = (limits.rows, configuration.hiddenSize, configuration.headSize)
    let queries = configuration.headCount * headSize
    storage = try KVStorage(
      layerCount: configuration.layerCount, blockCount: limits.blockCount(ofSize: KVStorage.blockSize),
      kvHeadCount: configuration.kvHeadCount, headSize: headSize, format: cacheFormat)
    operations = try TensorOperations(
      pool: pool, instructionSet: instructionSet,
      rowCapacity: max(rows * (configuration.experts?.chosenCount ?? 1), limits.logitRows),
      columnCapacity: max(
        hidden, configuration.intermediateSize, configuration.experts?.intermediateSize ?? 0, queries, widestInput))
    residual = try Activations(rowCapacity: rows, columns: hidden)
    normalised = try Activations(rowCapacity: rows, columns: hidden)
    queryKeyValue = try Activations(rowCapacity: rows, columns: queries + 2 * configuration.kvHeadCount * headSize)
    mixed = try Activations(rowCapacity: rows, columns: queries)
    gated = try Activations(rowCapacity: rows, columns: configuration.intermediateSize)
    experts = try configuration.experts.map { try ExpertSteps($0, rows: rows, hiddenSize: hidden) }
    keyValue =
      hasContext ? try Activations(rowCapacity: rows, columns: 2 * configuration.kvHeadCount * headSize) : nil
    cosines = try Activations(rowCapacity: rows, columns: headSize / 2)
    sines = try Activations(rowCapacity: rows, columns: headSize / 2)
  }

  /// Begins a pass over `batch`.
  func begin(_ batch: Batch) {
    begin(
      batch.slices.map {
        AttentionSlice(
          firstRow: $0.firstRow, rowCount: $0.rowCount, firstPosition: $0.firstPosition, blocks: $0.blocks)
      })
  }

  /// Begins a pass over the rows of `slices`.
  func begin(_ slices: [AttentionSlice]) {
    self.slices = slices
    rows = slices.reduce(0) { $0 + $1.rowCount }
    experts?.touchedCount = 0
    operations.rotaryAngles(
      positions: slices.flatMap { slice in (0..<slice.rowCount).map { Int32(slice.firstPosition + $0) } },
      inverseFrequencies: rotary.inverseFrequencies, scale: rotary.attentionScale,
      into: cosines, sin: sines)
  }

  /// Normalises the residual stream for what reads it next.
  func normalise(by norm: [Float]) {
    operations.rmsNorm(
      residual, rowCount: rows, weight: norm, epsilon: configuration.rmsNormEpsilon, into: normalised)
    stopwatch?.lap(.norms)
  }

  /// residual += output(attention(input)), where the input is the normalised residual stream unless another is given.
  func attend(_ weights: AttentionWeights, _ index: Int, of input: Activations? = nil, next: PackedMatrix) {
    let (heads, kvHeads, headSize) = (configuration.headCount, configuration.kvHeadCount, configuration.headSize)
    operations.linear(
      input ?? normalised, rowCount: rows, weights: weights.queryKeyValue, bias: weights.queryKeyValueBias,
      into: queryKeyValue, next: weights.output)
    stopwatch?.lap(.queryKeyValue)
    operations.normRotateStore(
      queryKeyValue, rowCount: rows, headCount: heads, kvHeadCount: kvHeads, headSize: headSize,
      queryNorm: weights.queryNorm, keyNorm: weights.keyNorm, epsilon: configuration.rmsNormEpsilon,
      cos: cosines, sin: sines, slices: slices, storage: storage, layer: index)
    stopwatch?.lap(.rotary)
    operations.attention(
      queryKeyValue, headCount: heads, kvHeadCount: kvHeads, headSize: headSize,
      scale: 1 / Float(headSize).squareRoot(), slices: slices, storage: storage, layer: index,
      seeing: sights.indices.contains(index) ? sights[index] : .causal(), into: mixed)
    stopwatch?.lap(.attention)
    operations.linearAdding(
      mixed, rowCount: rows, weight: weights.output, bias: weights.outputBias, to: residual, next: next)
    stopwatch?.lap(.attentionOutput)
  }

  /// Writes the keys and values of `context`, one row for each of the pass's, into the sequences' blocks.
  func storeContext(_ weights: AttentionWeights, _ index: Int, of context: Activations) {
    guard let keyValue, let norm = weights.contextNorm else { return }
    let (kvHeads, headSize) = (configuration.kvHeadCount, configuration.headSize)
    operations.rmsNorm(
      context, rowCount: rows, weight: norm, epsilon: configuration.rmsNormEpsilon, into: normalised)
    operations.linear(
      normalised, rowCount: rows, weights: weights.keyValue,
      bias: weights.queryKeyValueBias.map { Array($0.suffix(keyValue.columns)) }, into: keyValue)
    operations.normRotateStore(
      keyValue, rowCount: rows, headCount: 0, kvHeadCount: kvHeads, headSize: headSize, queryNorm: nil,
      keyNorm: weights.keyNorm, epsilon: configuration.rmsNormEpsilon, cos: cosines, sin: sines, slices: slices,
      storage: storage, layer: index)
  }

  /// Experts that the rows of the pass went through so far, added up over its layers.
  var touchedExperts: Int { experts?.touchedCount ?? 0 }

  /// Adds what each row of a layer goes through alone to the residual stream.
  func feedForward(_ weights: FeedForwardWeights, next: PackedMatrix) {
    switch weights {
    case .gated(let weights): feedForward(weights, next: next)
    case .experts(let weights): feedForward(weights, next: next)
    }
  }

  /// residual += Σ share · down(silu(gate(normal)) · up(normal)) over each row's experts, where normal is norm(residual)
  private func feedForward(_ weights: ExpertWeights, next: PackedMatrix) {
    guard let experts else { preconditionFailure("a configuration without experts has a layer with them") }
    normalise(by: weights.norm)
    operations.linear(normalised, rowCount: rows, weight: weights.router, into: experts.scores)
    let routes = operations.chooseExperts(
      experts.scores, rowCount: rows, chosenCount: experts.configuration.chosenCount,
      isShareOfAll: !experts.configuration.normalizesWeights)
    experts.touchedCount += routes.groups.count
    stopwatch?.lap(.router)
    let first = routes.groups.first.map { weights.down[$0.expert] }
    operations.gatedLinear(normalised, routes, weights: weights.gateUp, into: experts.gated, next: first)
    stopwatch?.lap(.gateUp)
    operations.linear(experts.gated, routes, weights: weights.down, into: experts.outputs, next: next)
    operations.addShares(experts.outputs, routes, to: residual)
    stopwatch?.lap(.down)
  }

  /// residual += down(silu(gate(norm(residual))) · up(norm(residual)))
  func feedForward(_ weights: GatedWeights, next: PackedMatrix) {
    normalise(by: weights.norm)
    operations.gatedLinear(
      normalised, rowCount: rows, weight: weights.gateUp, bias: weights.gateUpBias, into: gated, next: weights.down)
    stopwatch?.lap(.gateUp)
    operations.linearAdding(
      gated, rowCount: rows, weight: weights.down, bias: weights.downBias, to: residual, next: next)
    stopwatch?.lap(.down)
  }
}

/// The memory that layers with experts go through.
private final class ExpertSteps {
  let configuration: ExpertConfiguration
  /// `[rows, experts]`.
  let scores: Activations
  /// For each row of each of its experts, `[places, intermediate]` and `[places, hidden]`.
  let gated, outputs: Activations
  /// Experts that the rows of the pass went through so far, added up over its layers.
  var touchedCount = 0

  init(_ configuration: ExpertConfiguration, rows: Int, hiddenSize: Int) throws {
    self.configuration = configuration
    let places = rows * configuration.chosenCount
    scores = try Activations(rowCapacity: rows, columns: configuration.count)
    gated = try Activations(rowCapacity: places, columns: configuration.intermediateSize)
    outputs = try Activations(rowCapacity: places, columns: hiddenSize)
  }
}
