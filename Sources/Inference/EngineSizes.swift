internal import Decoding
internal import ModelFiles
internal import Tensor
internal import Transformer

/// What an engine reserves, and what programs for accelerators are made for.
struct EngineSizes {
  /// Sizes of the target's runner.
  var target: RunnerLimits
  /// Sizes of the draft's runner, if there is a draft.
  var draft: RunnerLimits?
  /// KV blocks that the target may use; `nil` for as many as there are.
  var blocks: Int?
  /// Rows of a pass in which every request verifies a full window.
  var decodingRows: Int
}

extension EngineConfiguration {
  /// Rows of logits that there is room for at least, so that prompts are scored in reasonable pieces.
  private static let scoringRows = 32

  /// Bytes of recurrent states that are kept so that prompts which begin alike are read once.
  private static let stateCacheBytes = 1 << 30

  /// Slots for recurrent states that sequences take which verify `window` proposals each (`RunnerCapacity.stateSlots`).
  package static func stateSlots(sequences: Int, window: Int) -> Int { sequences * (window + 3) }

  /// The sizes for a target and a draft.
  ///
  /// - Throws: `EngineConfigurationError` when the models cannot take what is asked for.
  func sizes(
    target: ModelConfiguration, draft: Speculator?, on backend: some Backend
  ) throws(EngineConfigurationError) -> EngineSizes {
    let decodingRows = sequences * (1 + (speculation?.window ?? 0))
    let positions = try positions(modelLimit: target.maximumPosition)
    var limits = RunnerLimits(
      rows: max(rows, decodingRows), logitRows: max(decodingRows, Self.scoringRows), sequences: sequences,
      positions: positions)
    let layerBytes = backend.blockByteCount(of: target)
    limits.windowBlocks =
      backend.freesWindows ? windowBlocks(of: target, within: limits, layerBytes: layerBytes) : nil
    let blocks = try blocks(
      ofBytes: fullLayers(of: target, within: limits) * layerBytes, size: KVStorage.blockSize, positions: positions,
      besides: windowBytes(of: target, within: limits, layerBytes: layerBytes))
    if let blocks {
      let each = (positions + KVStorage.blockSize - 1) / KVStorage.blockSize
      limits.sequences = min(limits.sequences, (blocks + each - 1) / each)
      limits.windowBlocks = limits.windowBlocks.map { min($0, blocks) }
    }
    if target.recurrence != nil {
      limits.stateSlots =
        Self.stateSlots(sequences: sequences, window: speculation?.window ?? 0)
        + (sharesPrefixes
          ? min(Self.stateCacheBytes / max(target.stateByteCount, 1), limits.blockCount(ofSize: KVStorage.blockSize))
          : 0)
    }
    // The draft's blocks are parallel to the target's.
    let draftLimits = draft.map {
      RunnerLimits(
        rows: limits.rows, logitRows: sequences * $0.proposalsPerPass(window: speculation?.window ?? 0),
        sequences: sequences,
        positions: min(positions, $0.configuration.maximumPosition),
        blocks: blocks ?? limits.blockCount(ofSize: KVStorage.blockSize))
    }
    return EngineSizes(target: limits, draft: draftLimits, blocks: blocks, decodingRows: decodingRows)
  }

  /// Makes the target's KV cache as small as the process's memory limits want it.
  ///
  /// - Throws: `EngineConfigurationError` when there is no room for one sequence, or for the cache that was asked for.
  func fit(
    _ sizes: inout EngineSizes, target: ModelSource, drafts: [Speculator], on backend: some Backend,
    limits: [MemoryLimit]
  ) throws(EngineConfigurationError) {
    let layerBytes = backend.blockByteCount(of: target.configuration)
    func blockBytes(_ model: ModelConfiguration) -> Int {
      model.attentionLayerCount * backend.blockByteCount(of: model)
    }
    let size = KVStorage.blockSize
    let wanted = (
      each: (sizes.target.positions + size - 1) / size, all: sizes.target.blockCount(ofSize: size)
    )
    func weights(_ quantization: Quantization) -> Int {
      drafts.reduce(target.weightBytes(quantization)) { $0 + $1.weightBytes(quantization) }
    }
    var need = MemoryNeed(
      weights: weights(quantization), files: target.fileBytes,
      draftCache: windowBytes(of: target.configuration, within: sizes.target, layerBytes: layerBytes),
      blockBytes: fullLayers(of: target.configuration, within: sizes.target) * layerBytes,
      blocks: min(sizes.blocks ?? .max, wanted.all),
      leastBlocks: wanted.each)
    for draft in drafts {
      guard let limits = sizes.draft else { continue }
      need.files += draft.fileBytes
      need.draftCache += MemoryNeed.bytes(limits.blockCount(ofSize: size), of: blockBytes(draft.configuration))
      if case .head(let head) = draft {
        need.draftCache += MemoryNeed.bytes(
          limits.blockCount(ofSize: size) * size, of: CPUHeadRunner.streamByteCount(of: head.configuration))
      }
    }
    if let slots = sizes.target.stateSlots {
      let least = Self.stateSlots(sequences: sequences, window: speculation?.window ?? 0)
      need.states = MemoryNeed.bytes(least, of: target.configuration.stateByteCount)
      // What the prefix cache keeps takes a quarter of what is left over at most.
      let room = limits.map { max(0, $0.bytes - need.fixed($0)) / 4 / max(target.configuration.stateByteCount, 1) }
        .min()
      let kept = min(slots - least, room ?? .max)
      sizes.target.stateSlots = least + kept
      need.states += MemoryNeed.bytes(kept, of: target.configuration.stateByteCount)
    }
    for other in Quantization.allCases where other != quantization && weights(other) < need.weights {
      need.otherWeights[other] = weights(other)
    }
    let (fitting, limit) = try need.fittingBlocks(limits)
    guard let limit, fitting < need.blocks else { return }
    if let cacheBytes {
      throw EngineConfigurationError(
        description:
          "--kv-cache-memory-bytes is \(cacheBytes); \(limit.name) of \(limit.bytes) bytes leaves \(MemoryNeed.bytes(fitting, of: need.blockBytes))"
      )
    }
    report(need.notice(fitting, limit))
    sizes.blocks = fitting
    sizes.draft?.blocks = fitting
    sizes.target.sequences = min(sizes.target.sequences, (fitting + wanted.each - 1) / wanted.each)
    sizes.target.windowBlocks = sizes.target.windowBlocks.map { min($0, fitting) }
  }

  /// Blocks for the layers with a window: what all sequences see at a time while a pass goes over them, and with a prefix
  /// cache as much again for what is found later; `nil` where no layer has one.
  private func windowBlocks(of model: ModelConfiguration, within limits: RunnerLimits, layerBytes: Int) -> Int? {
    guard let window = model.largestWindow else { return nil }
    let size = KVStorage.blockSize
    let all = limits.blockCount(ofSize: size)
    let least = WindowLimits.leastSlots(window: window, rows: limits.rows, blockSize: size)
    let each = WindowLimits.leastSlots(window: window, rows: 1 + (speculation?.window ?? 0), blockSize: size)
    let wanted = each * limits.sequences * (sharesPrefixes ? 2 : 1) + limits.rows / size + 1
    // Of memory that was asked for, layers that see everything get half.
    let share = (cacheBytes ?? .max) / (model.windowedLayerCount < model.layerCount ? 2 : 1)
    let room = share / max(MemoryNeed.bytes(model.windowedLayerCount, of: layerBytes), 1)
    return min(all, max(least, min(wanted, room)))
  }

  /// Layers whose keys and values are in the blocks that every position has.
  private func fullLayers(of model: ModelConfiguration, within limits: RunnerLimits) -> Int {
    model.attentionLayerCount - (limits.windowBlocks == nil ? 0 : model.windowedLayerCount)
  }

  /// Bytes of the layers with a window, where those have blocks of their own.
  private func windowBytes(of model: ModelConfiguration, within limits: RunnerLimits, layerBytes: Int) -> Int {
    limits.windowBlocks.map { MemoryNeed.bytes($0, of: model.windowedLayerCount * layerBytes) } ?? 0
  }
}
