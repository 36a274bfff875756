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

  /// The sizes for a target and a draft.
  ///
  /// - Throws: `EngineConfigurationError` when the models cannot take what is asked for.
  func sizes(
    target: ModelConfiguration, draft: Speculator?, on backend: some Backend
  ) throws(EngineConfigurationError) -> EngineSizes {
    let decodingRows = sequences * (1 + (speculation?.window ?? 0))
    let positions = try positions(modelLimit: target.maximumPosition)
    let blocks = try blocks(
      ofBytes: target.layerCount * backend.blockByteCount(of: target), size: KVStorage.blockSize, positions: positions)
    var limits = RunnerLimits(
      rows: max(rows, decodingRows), logitRows: max(decodingRows, Self.scoringRows), sequences: sequences,
      positions: positions)
    if let blocks {
      let each = (positions + KVStorage.blockSize - 1) / KVStorage.blockSize
      limits.sequences = min(limits.sequences, (blocks + each - 1) / each)
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
    func blockBytes(_ model: ModelConfiguration) -> Int { model.layerCount * backend.blockByteCount(of: model) }
    let size = KVStorage.blockSize
    let wanted = (
      each: (sizes.target.positions + size - 1) / size, all: sizes.target.blockCount(ofSize: size)
    )
    func weights(_ quantization: Quantization) -> Int {
      drafts.reduce(target.weightBytes(quantization)) { $0 + $1.weightBytes(quantization) }
    }
    var need = MemoryNeed(
      weights: weights(quantization), files: target.fileBytes, draftCache: 0,
      blockBytes: blockBytes(target.configuration), blocks: min(sizes.blocks ?? .max, wanted.all),
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
  }
}
