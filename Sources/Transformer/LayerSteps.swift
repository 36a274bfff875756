internal import ModelFiles
internal import Tensor

/// The steps of a pass through layers, and the memory that they go through: what models and heads share.
final class LayerSteps {
  let operations: TensorOperations
  private let storage: KVStorage
  /// Of layers that have a window, where those have blocks of their own.
  private let windowStorage: KVStorage?
  /// Recurrent states and what their layers need; `nil` where there are no such layers.
  let recurrence: RecurrentSteps?
  /// By layer: in which of these it is, and as which of its layers.
  private let places: [(isWindowed: Bool, layer: Int)]
  /// `[rows, hidden]`.
  let residual: Activations
  /// Hears how long each kind of operation takes; `nil` outside of benchmarks.
  var stopwatch: PassStopwatch?

  private let configuration: ModelConfiguration
  private let rotary: RotaryAngles
  /// Of layers that have a window; `nil` where theirs are those of all layers.
  private let windowRotary: RotaryAngles?
  private let sights: [AttentionSight]
  /// `[rows, hidden]`.
  private let normalised: Activations
  /// `[rows, (heads + 2 · kvHeads) · headSize]`; each head's queries are followed by its gate where there are gates.
  private let queryKeyValue: Activations
  /// `[rows, heads · headSize]`.
  private let mixed: Activations
  /// `[rows, intermediate]`.
  private let gated: Activations
  /// `nil` where no layer has experts.
  private let experts: ExpertSteps?
  /// Keys and values of what is not in the residual stream, `[rows, 2 · kvHeads · headSize]`; `nil` where there is none.
  private let keyValue: Activations?
  /// What is normalised before it is added to the residual stream, `[rows, hidden]`; `nil` where nothing is.
  private let added: Activations?
  /// The sequences' shares of the pass's rows.
  private var slices: [AttentionSlice] = []
  /// The same in the blocks of layers that have a window.
  private var windowSlices: [AttentionSlice] = []
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
    self.sights =
      sights.isEmpty
      ? configuration.windows.map { .causal(window: $0) } : sights
    let (rows, hidden, headSize) = (limits.rows, configuration.hiddenSize, configuration.headSize)
    let queries = configuration.headCount * headSize
    let windowBlocks = configuration.windowedLayerCount > 0 ? limits.windowBlocks : nil
    recurrence = try configuration.recurrence.map {
      try RecurrentSteps($0, rows: rows, slots: limits.stateSlotCount, epsilon: configuration.rmsNormEpsilon)
    }
    var counts = (all: 0, windowed: 0, recurrent: 0)
    places = (0..<configuration.layerCount).map { layer in
      if configuration.recurrence?.isRecurrent[layer] == true {
        counts.recurrent += 1
        return (false, counts.recurrent - 1)
      }
      let isWindowed = windowBlocks != nil && configuration.window(ofLayer: layer) != nil
      if isWindowed { counts.windowed += 1 } else { counts.all += 1 }
      return (isWindowed, (isWindowed ? counts.windowed : counts.all) - 1)
    }
    windowStorage = try windowBlocks.map {
      try KVStorage(
        layerCount: counts.windowed, blockCount: $0, kvHeadCount: configuration.kvHeadCount, headSize: headSize,
        format: cacheFormat)
    }
    storage = try KVStorage(
      layerCount: counts.all, blockCount: limits.blockCount(ofSize: KVStorage.blockSize),
      kvHeadCount: configuration.kvHeadCount, headSize: headSize, format: cacheFormat)
    operations = try TensorOperations(
      pool: pool, instructionSet: instructionSet,
      rowCapacity: max(rows * (configuration.experts?.chosenCount ?? 1), limits.logitRows),
      columnCapacity: max(
        hidden, configuration.intermediateSize, configuration.experts?.intermediateSize ?? 0,
        configuration.experts?.sharedSize ?? 0, queries,
        configuration.recurrence?.shape.valueWidth ?? 0, widestInput))
    residual = try Activations(rowCapacity: rows, columns: hidden)
    normalised = try Activations(rowCapacity: rows, columns: hidden)
    queryKeyValue = try Activations(
      rowCapacity: rows,
      columns: (configuration.hasAttentionGates ? 2 : 1) * queries + 2 * configuration.kvHeadCount * headSize)
    mixed = try Activations(rowCapacity: rows, columns: queries)
    gated = try Activations(rowCapacity: rows, columns: configuration.intermediateSize)
    experts = try configuration.experts.map { try ExpertSteps($0, rows: rows, hiddenSize: hidden) }
    keyValue =
      hasContext ? try Activations(rowCapacity: rows, columns: 2 * configuration.kvHeadCount * headSize) : nil
    rotary = try RotaryAngles(configuration.rotary, headSize: headSize, rows: rows)
    windowRotary = try configuration.windowRotary.map { try RotaryAngles($0, headSize: headSize, rows: rows) }
    added = configuration.hasPostNorms ? try Activations(rowCapacity: rows, columns: hidden) : nil
  }

  /// Begins a pass over `batch`.
  func begin(_ batch: Batch) {
    recurrence?.begin(batch)
    begin(
      batch.slices.map {
        AttentionSlice(
          firstRow: $0.firstRow, rowCount: $0.rowCount, firstPosition: $0.firstPosition, blocks: $0.blocks)
      })
    guard windowStorage != nil else { return }
    windowSlices = batch.slices.map {
      AttentionSlice(
        firstRow: $0.firstRow, rowCount: $0.rowCount, firstPosition: $0.firstPosition, blocks: $0.windowBlocks)
    }
  }

  /// Begins a pass over the rows of `slices`.
  func begin(_ slices: [AttentionSlice]) {
    self.slices = slices
    rows = slices.reduce(0) { $0 + $1.rowCount }
    experts?.touchedCount = 0
    let positions = slices.flatMap { slice in (0..<slice.rowCount).map { Int32(slice.firstPosition + $0) } }
    rotary.fill(positions, with: operations)
    windowRotary?.fill(positions, with: operations)
  }

  /// Normalises the residual stream for what reads it next.
  func normalise(by norm: [Float]) {
    operations.rmsNorm(
      residual, rowCount: rows, weight: norm, epsilon: configuration.rmsNormEpsilon, into: normalised)
    stopwatch?.lap(.norms)
  }

  /// residual += what the layer's rows see of other positions, of the normalised residual stream unless another is given.
  func mix(_ weights: MixerWeights, _ index: Int, of input: Activations? = nil, next: PackedMatrix) {
    switch weights {
    case .attention(let weights): attend(weights, index, of: input, next: next)
    case .deltaNet(let weights):
      guard let recurrence else { return }
      let output = recurrence.recur(
        weights, layer: places[index].layer, of: input ?? normalised, rowCount: rows, with: operations, stopwatch)
      operations.linearAdding(output, rowCount: rows, weight: weights.output, to: residual, next: next)
      stopwatch?.lap(.attentionOutput)
    }
  }

  /// residual += output(attention(input)), where the input is the normalised residual stream unless another is given.
  func attend(_ weights: AttentionWeights, _ index: Int, of input: Activations? = nil, next: PackedMatrix) {
    let (heads, kvHeads, headSize) = (configuration.headCount, configuration.kvHeadCount, configuration.headSize)
    let (rotary, place) = (rotary(of: index), place(of: index))
    operations.linear(
      input ?? normalised, rowCount: rows, weights: weights.queryKeyValue, bias: weights.queryKeyValueBias,
      into: queryKeyValue, next: weights.output)
    stopwatch?.lap(.queryKeyValue)
    operations.normRotateStore(
      queryKeyValue, rowCount: rows, headCount: heads, hasGates: configuration.hasAttentionGates, kvHeadCount: kvHeads,
      headSize: headSize, queryNorm: weights.queryNorm, keyNorm: weights.keyNorm, epsilon: configuration.rmsNormEpsilon,
      cos: rotary.cosines, sin: rotary.sines, slices: place.slices, storage: place.storage, layer: place.layer)
    stopwatch?.lap(.rotary)
    operations.attention(
      queryKeyValue, headCount: heads, hasGates: configuration.hasAttentionGates, kvHeadCount: kvHeads,
      headSize: headSize, scale: configuration.attentionScale, cap: configuration.attentionSoftCap,
      sinks: weights.sinks, slices: place.slices, storage: place.storage, layer: place.layer,
      seeing: sights.indices.contains(index) ? sights[index] : .causal(), into: mixed)
    if configuration.hasAttentionGates {
      operations.gate(mixed, rowCount: rows, headSize: headSize, by: queryKeyValue)
    }
    stopwatch?.lap(.attention)
    add(mixed, through: weights.output, bias: weights.outputBias, postNorm: weights.postNorm, next: next)
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
      keyNorm: weights.keyNorm, epsilon: configuration.rmsNormEpsilon, cos: rotary(of: index).cosines,
      sin: rotary(of: index).sines, slices: slices, storage: storage, layer: index)
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

  /// residual += Σ share · down(activation(gate(normal)) · up(normal)) over each row's experts, where normal is norm(residual)
  private func feedForward(_ weights: ExpertWeights, next: PackedMatrix) {
    guard let experts else { preconditionFailure("a configuration without experts has a layer with them") }
    normalise(by: weights.norm)
    operations.linear(
      normalised, rowCount: rows, weight: weights.router, bias: weights.routerBias, into: experts.scores)
    for rest in weights.routerRest {
      operations.linearAdding(normalised, rowCount: rows, weight: rest, to: experts.scores)
    }
    let routes = operations.chooseExperts(
      experts.scores, rowCount: rows, chosenCount: experts.configuration.chosenCount,
      isShareOfAll: !experts.configuration.normalizesWeights)
    experts.touchedCount += routes.groups.count
    stopwatch?.lap(.router)
    let first = routes.groups.first.map { weights.down[$0.expert] }
    operations.gatedLinear(
      normalised, routes, weights: weights.gateUp, bias: weights.gateUpBias, activation: configuration.activation,
      into: experts.gated, next: first)
    stopwatch?.lap(.gateUp)
    operations.linear(
      experts.gated, routes, weights: weights.down, bias: weights.downBias, into: experts.outputs,
      next: weights.shared?.gateUp ?? next)
    operations.addShares(experts.outputs, routes, to: residual)
    stopwatch?.lap(.down)
    if let shared = weights.shared { feedForward(shared, experts, next: next) }
  }

  /// residual += sigmoid(share · normal) · down(silu(gate(normal)) · up(normal))
  private func feedForward(_ weights: SharedExpertWeights, _ experts: ExpertSteps, next: PackedMatrix) {
    guard let gated = experts.sharedGated else { preconditionFailure("a shared expert that the configuration lacks") }
    operations.gatedLinear(normalised, rowCount: rows, weight: weights.gateUp, into: gated, next: weights.down)
    stopwatch?.lap(.gateUp)
    // What the chosen experts gave was added up.
    operations.linear(gated, rowCount: rows, weight: weights.down, into: experts.outputs, next: next)
    operations.add(experts.outputs, rowCount: rows, gatedBy: weights.share, of: normalised, to: residual)
    stopwatch?.lap(.down)
  }

  /// residual += down(activation(gate(norm(residual))) · up(norm(residual)))
  func feedForward(_ weights: GatedWeights, next: PackedMatrix) {
    normalise(by: weights.norm)
    operations.gatedLinear(
      normalised, rowCount: rows, weight: weights.gateUp, bias: weights.gateUpBias,
      activation: configuration.activation, into: gated, next: weights.down)
    stopwatch?.lap(.gateUp)
    add(gated, through: weights.down, bias: weights.downBias, postNorm: weights.postNorm, next: next)
    stopwatch?.lap(.down)
  }

  /// Where the keys and values of a layer are.
  private func place(of layer: Int) -> (storage: KVStorage, slices: [AttentionSlice], layer: Int) {
    let (isWindowed, index) = places[layer]
    guard isWindowed, let windowStorage else { return (storage, slices, index) }
    return (windowStorage, windowSlices, index)
  }

  /// K/V memory at full use.
  var keyValueByteCount: Int { storage.byteCount + (windowStorage?.byteCount ?? 0) }

  func fillKeyValueCacheRandomly() {
    storage.fillRandomly()
    windowStorage?.fillRandomly()
  }

  private func rotary(of layer: Int) -> RotaryAngles {
    configuration.window(ofLayer: layer) == nil ? rotary : windowRotary ?? rotary
  }

  /// residual += postNorm(weight · x + bias)
  private func add(
    _ x: Activations, through weight: PackedMatrix, bias: [Float]?, postNorm: [Float]?, next: PackedMatrix
  ) {
    guard let added, let postNorm else {
      return operations.linearAdding(x, rowCount: rows, weight: weight, bias: bias, to: residual, next: next)
    }
    operations.linear(x, rowCount: rows, weight: weight, bias: bias, into: added, next: next)
    operations.rmsNorm(
      added, rowCount: rows, weight: postNorm, epsilon: configuration.rmsNormEpsilon, into: added)
    operations.add(added, rowCount: rows, to: residual)
  }
}

/// Cosines and sines of the angles of a pass's rows.
private struct RotaryAngles {
  private let frequencies: (inverseFrequencies: [Float], attentionScale: Float)
  /// `[rows, rotated channels / 2]`.
  let cosines, sines: Activations

  init(_ configuration: RotaryConfiguration, headSize: Int, rows: Int) throws {
    let rotated = configuration.rotatedSize(ofHead: headSize)
    frequencies = configuration.frequencies(headSize: rotated)
    cosines = try Activations(rowCapacity: rows, columns: rotated / 2)
    sines = try Activations(rowCapacity: rows, columns: rotated / 2)
  }

  func fill(_ positions: [Int32], with operations: TensorOperations) {
    operations.rotaryAngles(
      positions: positions, inverseFrequencies: frequencies.inverseFrequencies, scale: frequencies.attentionScale,
      into: cosines, sin: sines)
  }
}

/// The memory that layers with experts go through.
private final class ExpertSteps {
  let configuration: ExpertConfiguration
  /// `[rows, experts]`.
  let scores: Activations
  /// For each row of each of its experts, `[places, intermediate]` and `[places, hidden]`.
  let gated, outputs: Activations
  /// Of the expert that all rows go through, `[rows, intermediate]`; `nil` where there is none.
  let sharedGated: Activations?
  /// Experts that the rows of the pass went through so far, added up over its layers.
  var touchedCount = 0

  init(_ configuration: ExpertConfiguration, rows: Int, hiddenSize: Int) throws {
    self.configuration = configuration
    let places = rows * configuration.chosenCount
    scores = try Activations(rowCapacity: rows, columns: configuration.count)
    gated = try Activations(rowCapacity: places, columns: configuration.intermediateSize)
    outputs = try Activations(rowCapacity: places, columns: hiddenSize)
    sharedGated = try configuration.sharedSize.map { try Activations(rowCapacity: rows, columns: $0) }
  }
}
