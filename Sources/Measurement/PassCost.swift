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
  ///
  /// - Parameter readExperts: the share of experts that it reads; what a single row reads by default.
  package init(
    _ configuration: ModelConfiguration, memory: RunnerMemory, cacheFormat: KVCacheFormat = .float16, rows: Int,
    context: Int, logitRows: Int, readExperts: Double? = nil
  ) {
    let tensors = DecoderTensors(configuration)
    let chosen = configuration.experts.map { Double($0.chosenCount) / Double($0.count) } ?? 1
    let unread = Double(memory.packedExperts) * (1 - (readExperts ?? chosen))
    let weightBytes = Double(memory.packedWeights - (logitRows > 0 ? 0 : memory.packedHead)) - unread
    // Keys and values of every position seen, read once; those of the rows written once.
    let positionBytes =
      Double(
        KVStorage.blockByteCount(
          kvHeadCount: configuration.kvHeadCount, headSize: configuration.headSize, format: cacheFormat))
      / Double(KVStorage.blockSize)
    let windows = tensors.layers.indices.map { configuration.window(ofLayer: $0) }
    // A state is read once, and written for every row that may turn out to be the last.
    let stateBytes = Double(configuration.stateByteCount) * Double(1 + max(1, logitRows))
    bytes = zip(tensors.layers, windows).reduce(weightBytes + stateBytes) { sum, layer in
      switch layer.0.mixer {
      case .attention:
        let seen = min(context + rows, layer.1.map { $0 - 1 + rows } ?? .max)
        return sum + positionBytes * Double(seen + rows)
      case .deltaNet: return sum
      }
    }
    layerOperations = 2 * Double(tensors.elementsPerRow) * Double(rows)
    headOperations = 2 * Double(logitRows) * Double(tensors.head.count)
    // Each row sees everything up to itself, or a window of it, once for the scores and once for the values.
    let positionsSeen = Double(rows) * Double(context) + Double(rows) * Double(rows + 1) / 2
    attentionOperations = zip(tensors.layers, windows).reduce(0.0) { sum, layer in
      let seen =
        layer.1.map { window in (0..<rows).reduce(0.0) { $0 + Double(min(context + $1 + 1, window)) } } ?? positionsSeen
      switch layer.0.mixer {
      case .attention(let attention):
        return sum + 2 * 2 * Double(attention.headCount * attention.headSize) * seen
      case .deltaNet(let net):
        // Each row goes through a state twice, with two products and sums each.
        return sum + 2 * 4 * Double(net.sizes.valueWidth * net.sizes.keySize) * Double(rows)
      }
    }
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
