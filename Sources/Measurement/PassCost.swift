package import ModelFiles
package import Tensor
package import Transformer

/// What one pass has to do, whatever the code: bytes that it must read or write once, and products that it must form.
package struct PassCost: Sendable {
  /// Packed weights and the KV cache, in bytes.
  let bytes: Double
  /// Operations of matrix products in the layers (a product and its sum are two).
  let layerOperations: Double
  let headOperations: Double
  /// Operations of attention, on floats.
  let attentionOperations: Double

  /// A pass of a model with weights of `memory` over `rows` rows that begin at position `context`, of which `logitRows` want logits.
  package init(
    _ configuration: ModelConfiguration, memory: RunnerMemory, cacheFormat: KVCacheFormat = .float16, rows: Int,
    context: Int, logitRows: Int
  ) {
    let (hidden, headSize) = (configuration.hiddenSize, configuration.headSize)
    let queries = configuration.headCount * headSize
    let keys = configuration.kvHeadCount * headSize
    let matrices = [
      (queries + 2 * keys, hidden), (hidden, queries), (2 * configuration.intermediateSize, hidden),
      (hidden, configuration.intermediateSize),
    ]
    let layers = Double(configuration.layerCount)
    let weights = matrices.reduce(0) { $0 + $1.0 * $1.1 }
    let weightBytes = memory.packedWeights - (logitRows > 0 ? 0 : memory.packedHead)
    // Keys and values of every position seen, read once; those of the rows written once.
    let positionBytes =
      Double(
        KVStorage.blockByteCount(kvHeadCount: configuration.kvHeadCount, headSize: headSize, format: cacheFormat))
      / Double(KVStorage.blockSize)
    let cacheBytes = positionBytes * Double(context + 2 * rows)
    bytes = Double(weightBytes) + layers * cacheBytes
    layerOperations = 2 * layers * Double(weights) * Double(rows)
    headOperations = 2 * Double(logitRows) * Double(configuration.vocabularySize) * Double(hidden)
    // Each row sees everything up to itself, once for the scores and once for the values.
    let positionsSeen = Double(rows) * Double(context) + Double(rows) * Double(rows + 1) / 2
    attentionOperations = 2 * 2 * layers * Double(queries) * positionsSeen
  }

  /// The least time that the measured ceilings allow, in seconds.
  package func floor(_ ceilings: MachineCeilings.Sample, isQuantised: Bool) -> Double {
    max(bytes / ceilings.readBandwidth, arithmeticSeconds(ceilings, isQuantised: isQuantised))
  }

  /// Time of the products alone at the measured peaks, in seconds.
  func arithmeticSeconds(_ ceilings: MachineCeilings.Sample, isQuantised: Bool) -> Double {
    let peak = isQuantised ? ceilings.byteOperations : ceilings.floatOperations
    return (layerOperations + headOperations) / peak + attentionOperations / ceilings.floatOperations
  }
}

extension ModelConfiguration {
  /// Keys and values of one position, in half precision.
  package var keyValueBytesPerToken: Int { 2 * 2 * kvHeadCount * headSize * layerCount }
}
