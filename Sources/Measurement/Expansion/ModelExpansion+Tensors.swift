internal import ModelFiles
internal import Tensor

/// A tensor of an expanded model, made row by row.
struct ExpandedTensor {
  let entry: SafetensorsWriter.Entry
  /// Overwrites every element of a row.
  let fill: (_ row: Int, _ values: inout [Float]) -> Void
}

extension ModelExpansion {
  /// Logits of added ids are below this, where the small model's are of the order of ten.
  private static let addedIdWeight: Float = -1024

  /// All tensors, under the names that Hugging Face gives them.
  func tensors() throws(ModelFileError) -> [ExpandedTensor] {
    let (hidden, vocabulary) = (shape.hiddenSize, shape.vocabularySize)
    let small = source.hiddenSize
    let embedding = try original("model.embed_tokens.weight", [source.vocabularySize, small])
    var tensors = [
      matrix("model.embed_tokens.weight", [vocabulary, hidden], like: embedding) { [self] row, values in
        guard row < source.vocabularySize else {
          // Added ids are never read; where the output is the embedding, this is what keeps them from winning.
          if shape.tiesWordEmbeddings { values[small] = Self.addedIdWeight }
          if shape.tiesWordEmbeddings { values[small + 1] = Self.addedIdWeight }
          return
        }
        embedding.copyRow(row, to: &values)
        // They cancel in the output, as the last norm gives them opposite signs again.
        values[small] = constant
        values[small + 1] = -constant
      }
    ]
    for layer in 0..<shape.layerCount { tensors += try layerTensors(layer) }
    let norm = try original("model.norm.weight", [small])
    tensors.append(
      vector("model.norm.weight", hidden) { [self] values in
        norm.copyRow(0, scaledBy: normFactor, to: &values)
        values[small] = constantNorm
        values[small + 1] = -constantNorm
      })
    guard !shape.tiesWordEmbeddings else { return tensors }
    let head =
      source.tiesWordEmbeddings ? embedding : try original("lm_head.weight", [source.vocabularySize, small])
    tensors.append(
      matrix("lm_head.weight", [vocabulary, hidden], like: head) { [self] row, values in
        if row < source.vocabularySize {
          head.copyRow(row, to: &values)
          Noise(row: row, of: 0).fill(&values, from: small + 2, bound: head.peak(of: row))
        } else {
          Noise(row: row, of: 0).fill(&values, from: 0, to: small, bound: 0.01)
          values[small] = Self.addedIdWeight
          values[small + 1] = Self.addedIdWeight
        }
      })
    return tensors
  }

  private func layerTensors(_ layer: Int) throws(ModelFileError) -> [ExpandedTensor] {
    let isOriginal = layer < source.layerCount
    let prefix = "model.layers.\(layer)."
    let (small, hidden, headSize) = (source.hiddenSize, shape.hiddenSize, shape.headSize)
    let (queries, keys) = (source.headCount * headSize, source.kvHeadCount * headSize)
    func part(_ name: String, _ shape: [Int]) throws(ModelFileError) -> TensorView? {
      isOriginal ? try original(prefix + name, shape) : nil
    }
    func residualNorm(_ name: String) throws(ModelFileError) -> ExpandedTensor {
      let norm = try part(name, [small])
      let factor = normFactor
      return vector(prefix + name, hidden) { values in
        for index in values.indices { values[index] = 1 }
        norm?.copyRow(0, scaledBy: factor, to: &values)
        (values[small], values[small + 1]) = (0, 0)
      }
    }
    func headNorm(_ name: String) throws(ModelFileError) -> ExpandedTensor {
      let norm = try part(name, [headSize])
      return vector(prefix + name, headSize) { values in
        for index in values.indices { values[index] = 1 }
        norm?.copyRow(0, to: &values)
      }
    }
    let heads = heads
    let (query, key) = (
      try part("self_attn.q_proj.weight", [queries, small]), try part("self_attn.k_proj.weight", [keys, small])
    )
    let value = try part("self_attn.v_proj.weight", [keys, small])
    let output = try part("self_attn.o_proj.weight", [small, queries])
    let (gate, up) = (
      try part("mlp.gate_proj.weight", [source.intermediateSize, small]),
      try part("mlp.up_proj.weight", [source.intermediateSize, small])
    )
    let down = try part("mlp.down_proj.weight", [small, source.intermediateSize])
    let (intermediate, smallIntermediate) = (shape.intermediateSize, source.intermediateSize)
    /// The row of a small matrix, and noise for the inputs that are always zero; noise alone where there is no such row.
    func extended(_ tensor: TensorView?, _ row: Int?, seed: Noise, _ values: inout [Float]) {
      if let tensor, let row {
        tensor.copyRow(row, to: &values)
        seed.fill(&values, from: small, bound: tensor.peak(of: row))
      } else {
        seed.fill(&values, from: 0, bound: 0.05)
      }
    }
    func noise(_ row: Int, _ kind: Int) -> Noise { Noise(row: row, of: layer * 8 + kind + 1) }

    return [
      try residualNorm("input_layernorm.weight"),
      matrix(prefix + "self_attn.q_proj.weight", [shape.headCount * headSize, hidden], like: query) { row, values in
        let (head, channel) = row.quotientAndRemainder(dividingBy: headSize)
        let original: Int? =
          switch heads.queries[head] {
          case .original(let number), .copy(let number): number * headSize + channel
          case .idle: nil
          }
        extended(query, original, seed: noise(row, 0), &values)
      },
      matrix(prefix + "self_attn.k_proj.weight", [shape.kvHeadCount * headSize, hidden], like: key) { row, values in
        let head = heads.keyValues[row / headSize]
        extended(key, head.map { $0 * headSize + row % headSize }, seed: noise(row, 1), &values)
      },
      matrix(prefix + "self_attn.v_proj.weight", [shape.kvHeadCount * headSize, hidden], like: value) { row, values in
        // Without a head of the small model, all values are zero.
        guard let value, let head = heads.keyValues[row / headSize] else { return }
        extended(value, head * headSize + row % headSize, seed: noise(row, 2), &values)
      },
      matrix(prefix + "self_attn.o_proj.weight", [hidden, shape.headCount * headSize], like: output) { row, values in
        // An added layer's values are zero, and what it would write matters as little as what idle heads would.
        guard row < small else { return }
        let bound = output?.peak(of: row) ?? 0.05
        let bits = output.map { $0.row(row) }
        for (head, role) in heads.queries.enumerated() {
          let place = head * headSize..<(head + 1) * headSize
          switch (role, bits) {
          case (.original(let number), let bits?):
            for channel in 0..<headSize { values[place.lowerBound + channel] = bits[number * headSize + channel] }
          case (.copy, _?): break
          case (.idle, _), (_, nil):
            noise(row, 3).fill(&values, from: place.lowerBound, to: place.upperBound, bound: bound)
          }
        }
      },
      try headNorm("self_attn.q_norm.weight"),
      try headNorm("self_attn.k_norm.weight"),
      try residualNorm("post_attention_layernorm.weight"),
      matrix(prefix + "mlp.gate_proj.weight", [intermediate, hidden], like: gate) { row, values in
        extended(gate, row < smallIntermediate ? row : nil, seed: noise(row, 4), &values)
      },
      matrix(prefix + "mlp.up_proj.weight", [intermediate, hidden], like: up) { row, values in
        // Added channels are zero whatever their gate says.
        guard let up, row < smallIntermediate else { return }
        extended(up, row, seed: noise(row, 5), &values)
      },
      matrix(prefix + "mlp.down_proj.weight", [hidden, intermediate], like: down) { row, values in
        guard row < small else { return }
        down?.copyRow(row, to: &values)
        noise(row, 6).fill(
          &values, from: down == nil ? 0 : smallIntermediate, bound: down?.peak(of: row) ?? 0.05)
      },
    ]
  }

  private func original(_ name: String, _ shape: [Int]) throws(ModelFileError) -> TensorView {
    try checkpoint.tensor(name, shape: shape)
  }

  /// A matrix in the format of its original: brain floats, unless that has more digits.
  private func matrix(
    _ name: String, _ shape: [Int], like original: TensorView?, fill: @escaping (Int, inout [Float]) -> Void
  ) -> ExpandedTensor {
    let type: ElementType = original.map { $0.elementType == .bfloat16 } ?? true ? .bfloat16 : .float32
    return ExpandedTensor(entry: SafetensorsWriter.Entry(name: name, elementType: type, shape: shape)) { row, values in
      for index in values.indices { values[index] = 0 }
      fill(row, &values)
    }
  }

  /// A norm's weights, in single precision: their factor is seldom a power of two.
  private func vector(_ name: String, _ count: Int, fill: @escaping (inout [Float]) -> Void) -> ExpandedTensor {
    ExpandedTensor(entry: SafetensorsWriter.Entry(name: name, elementType: .float32, shape: [count])) { _, values in
      for index in values.indices { values[index] = 0 }
      fill(&values)
    }
  }
}

/// Repeatable random weights for one row.
private struct Noise {
  private let seed: UInt64

  init(row: Int, of tensor: Int) { seed = (UInt64(tensor) << 32 | UInt64(row)) &* 0x9E37_79B9_7F4A_7C15 }

  /// Fills `from ..< to` with values between `-bound` and `bound`.
  func fill(_ values: inout [Float], from: Int, to: Int? = nil, bound: Float) {
    // Below the bound after rounding, too.
    let scale = bound * 0.98 * 0x1p-31
    var state = seed &+ UInt64(from)
    for index in from..<(to ?? values.count) {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      values[index] = Float(Int32(truncatingIfNeeded: state >> 32)) * scale
    }
  }
}

extension TensorView {
  /// The elements of row `row` of a matrix, or all of a vector.
  fileprivate func row(_ row: Int) -> [Float] {
    let length = shape[shape.count - 1]
    return floats(in: row * length..<(row + 1) * length)
  }

  fileprivate func copyRow(_ row: Int, scaledBy factor: Float = 1, to values: inout [Float]) {
    for (index, value) in self.row(row).enumerated() { values[index] = value * factor }
  }

  /// The largest magnitude in a row.
  fileprivate func peak(of row: Int) -> Float { self.row(row).reduce(0) { max($0, abs($1)) } }
}
