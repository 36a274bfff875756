internal import Tensor

/// A tensor of an expanded model or head, made row by row.
struct ExpandedTensor {
  let entry: SafetensorsWriter.Entry
  /// Overwrites every element of a row.
  let fill: StoredTensor.RowMaker
}

extension LayerExpansion {
  /// Logits of added ids, and scores of added experts, are below this, where the small model's are of the order of ten.
  static let addedIdWeight: Float = -1024

  /// The tensors of a layer; `trained` is the small model's, `nil` for an added one.
  func tensors(
    _ index: Int, _ layer: DecoderLayer, trained: DecoderLayer?
  ) throws(ModelFileError) -> [ExpandedTensor] {
    var tensors: [ExpandedTensor]
    switch layer.mixer {
    case .attention(let attention): tensors = try attentionTensors(index, attention, trained: trained?.mixer)
    case .deltaNet: throw ModelFileError(checkpoint.directory, "unsupported: recurrent layers; they are not expanded")
    }
    switch layer.feedForward {
    case .gated(let gated): tensors += try gatedTensors(index, gated, trained: trained?.feedForward)
    case .experts(let mixture): tensors += try expertTensors(index, mixture, trained: trained?.feedForward)
    }
    return tensors
  }

  /// The embedding, with the constant channels beside every trained row.
  ///
  /// - Parameter added: the constant channels of added ids, which are never read.
  func embedding(
    _ tensor: DecoderTensor, of original: DecoderTensor, added: Float = 0
  ) throws(ModelFileError) -> ExpandedTensor {
    let small = source.hiddenSize
    // Read for every token while requests are served, when the file may be cut short or written to.
    let embedding = try checkpoint.tensorInMemory(original)
    return matrix(tensor, like: embedding) { [self] row, values in
      guard row < source.vocabularySize else {
        (values[small], values[small + 1]) = (added, added)
        return
      }
      embedding.copyRow(row, to: &values)
      // They cancel in the output, as the last norm gives them opposite signs again.
      (values[small], values[small + 1]) = (constant, -constant)
    }
  }

  private func attentionTensors(
    _ layer: Int, _ tensors: AttentionTensors, trained: Mixer?
  ) throws(ModelFileError) -> [ExpandedTensor] {
    let original: AttentionTensors? =
      switch trained {
      case .attention(let tensors)?: tensors
      case .deltaNet?, nil: nil
      }
    let (small, headSize, heads) = (source.hiddenSize, tensors.headSize, heads)
    let (query, key) = (try view(original?.query.weight), try view(original?.key.weight))
    let (value, output) = (try view(original?.value.weight), try view(original?.output.weight))
    @Sendable func noise(_ row: Int, _ kind: Int) -> Noise { Noise(row: row, of: layer * 8 + kind + 1) }
    var expanded = [try residualNorm(tensors.norm, original?.norm)]
    if let norm = tensors.streamNorm { expanded.append(try residualNorm(norm, original?.streamNorm)) }
    expanded += [
      matrix(tensors.query.weight, like: query) { [self] row, values in
        let (head, channel) = row.quotientAndRemainder(dividingBy: headSize)
        let original: Int? =
          switch heads.queries[head] {
          case .original(let number), .copy(let number): number * headSize + channel
          case .idle: nil
          }
        extended(query, original, seed: noise(row, 0), &values)
      },
      matrix(tensors.key.weight, like: key) { [self] row, values in
        let head = heads.keyValues[row / headSize]
        extended(key, head.map { $0 * headSize + row % headSize }, seed: noise(row, 1), &values)
      },
      matrix(tensors.value.weight, like: value) { [self] row, values in
        // Without a head of the small model, all values are zero.
        guard let value, let head = heads.keyValues[row / headSize] else { return }
        extended(value, head * headSize + row % headSize, seed: noise(row, 2), &values)
      },
      matrix(tensors.output.weight, like: output) { row, values in
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
    ]
    for (norm, original) in [(tensors.queryNorm, original?.queryNorm), (tensors.keyNorm, original?.keyNorm)] {
      if let norm { expanded.append(try self.norm(norm, original) { _ in }) }
    }
    return expanded
  }

  private func gatedTensors(
    _ layer: Int, _ tensors: GatedTensors, trained: FeedForward?
  ) throws(ModelFileError) -> [ExpandedTensor] {
    let original: GatedTensors? =
      switch trained {
      case .gated(let tensors)?: tensors
      // A shape is of the small model's architecture.
      case .experts?, nil: nil
      }
    return [try residualNorm(tensors.norm, original?.norm)]
      + networkTensors(
        (tensors.gate.weight, tensors.up.weight, tensors.down.weight),
        gate: try view(original?.gate.weight), up: try view(original?.up.weight), down: try view(original?.down.weight),
        seed: layer * 8)
  }

  /// Matrices of a network whose added channels are zero.
  ///
  /// - Parameters:
  ///   - gate, up, down: those of the small model; `nil` for a network that adds nothing.
  ///   - isBesideConstants: whether the constant channels are among its inputs.
  private func networkTensors(
    _ tensors: (gate: DecoderTensor, up: DecoderTensor, down: DecoderTensor), gate: TensorView?, up: TensorView?,
    down: TensorView?, seed: Int, isBesideConstants: Bool = false
  ) -> [ExpandedTensor] {
    let (small, smallIntermediate) = (source.hiddenSize, source.networkSize)
    @Sendable func noise(_ row: Int, _ kind: Int) -> Noise { Noise(row: row, of: seed + kind + 1) }
    return [
      matrix(tensors.gate, like: gate) { [self] row, values in
        extended(gate, row < smallIntermediate ? row : nil, seed: noise(row, 4), &values)
        if isBesideConstants { (values[small], values[small + 1]) = (0, 0) }
      },
      matrix(tensors.up, like: up) { [self] row, values in
        // Added channels are zero whatever their gate says.
        guard let up, row < smallIntermediate else { return }
        extended(up, row, seed: noise(row, 5), &values)
        if isBesideConstants { (values[small], values[small + 1]) = (0, 0) }
      },
      matrix(tensors.down, like: down) { row, values in
        guard row < small else { return }
        down?.copyRow(row, to: &values)
        noise(row, 6).fill(
          &values, from: down == nil ? 0 : smallIntermediate, bound: down?.peak(of: row) ?? 0.05)
      },
    ]
  }

  private func expertTensors(
    _ layer: Int, _ tensors: ExpertTensors, trained: FeedForward?
  ) throws(ModelFileError) -> [ExpandedTensor] {
    let original: ExpertTensors? =
      switch trained {
      case .experts(let tensors)?: tensors
      case .gated?, nil: nil
      }
    let small = source.hiddenSize
    let (few, many) = (source.experts ?? tensors.configuration, tensors.configuration)
    let copies = many.chosenCount / few.chosenCount
    let router = try view(original?.router.weight)
    let weight = 1 / constant
    var expanded = [
      try norm(tensors.norm, original?.norm, scaledBy: normFactor) { values in
        // They add up in the router, as the second channel's sign is turned again.
        (values[small], values[small + 1]) = (weight, -weight)
      },
      matrix(tensors.router.weight, like: router) { [self] row, values in
        let isCopy = row < few.count * copies
        extended(router, isCopy ? row / copies : nil, seed: Noise(row: row, of: layer * 8 + 8), &values)
        let addend = isCopy || router == nil ? 0 : Self.addedIdWeight
        (values[small], values[small + 1]) = (addend, addend)
      },
    ]
    for (index, expert) in tensors.experts.enumerated() {
      let own = original.flatMap { index < few.count * copies ? $0.experts[index / copies] : nil }
      expanded += networkTensors(
        (expert.gate.weight, expert.up.weight, expert.down.weight), gate: try view(own?.gate.weight),
        up: try view(own?.up.weight), down: try view(own?.down.weight), seed: (layer << 16 | index << 4) + 1 << 20,
        isBesideConstants: true)
    }
    return expanded
  }

  /// A tensor of the small model; `nil` in an added layer.
  private func view(_ tensor: DecoderTensor?) throws(ModelFileError) -> TensorView? {
    guard let tensor else { return nil }
    return try checkpoint.tensor(tensor)
  }

  /// The row of a small matrix, and noise for the inputs that are always zero; noise alone where there is no such row.
  ///
  /// The inputs are one vector of hidden channels, or several side by side.
  private func extended(_ tensor: TensorView?, _ row: Int?, seed: Noise, _ values: inout [Float]) {
    guard let tensor, let row else { return seed.fill(&values, from: 0, bound: 0.05) }
    let (small, large) = (source.hiddenSize, shape.hiddenSize)
    tensor.spreadRow(row, of: small, over: large, to: &values)
    let bound = tensor.peak(of: row)
    for first in stride(from: 0, to: values.count, by: large) {
      seed.fill(&values, from: first + small, to: first + large, bound: bound)
    }
  }

  /// A norm over the residual stream, which leaves the constant channels out.
  func residualNorm(
    _ tensor: DecoderTensor, _ original: DecoderTensor?
  ) throws(ModelFileError) -> ExpandedTensor {
    let small = source.hiddenSize
    return try norm(tensor, original, scaledBy: normFactor) { ($0[small], $0[small + 1]) = (0, 0) }
  }

  /// A norm of the small model, or ones.
  private func norm(
    _ tensor: DecoderTensor, _ original: DecoderTensor?, scaledBy factor: Float = 1,
    change: @escaping @Sendable (inout [Float]) -> Void
  ) throws(ModelFileError) -> ExpandedTensor {
    let norm = try view(original)
    return vector(tensor) { values in
      for index in values.indices { values[index] = 1 }
      norm?.copyRow(0, scaledBy: factor, to: &values)
      change(&values)
    }
  }

  /// A matrix in the format of its original: bfloat16, unless that has more digits.
  func matrix(
    _ tensor: DecoderTensor, like original: TensorView?, fill: @escaping StoredTensor.RowMaker
  ) -> ExpandedTensor {
    let type: SafetensorsWriter.Entry.Element =
      original.map { $0.elementType == .bfloat16 } ?? true ? .bfloat16 : .float32
    return ExpandedTensor(entry: SafetensorsWriter.Entry(tensor, as: type)) { row, values in
      for index in values.indices { values[index] = 0 }
      fill(row, &values)
    }
  }

  /// A norm's weights, in single precision: their factor is seldom a power of two.
  func vector(_ tensor: DecoderTensor, fill: @escaping @Sendable (inout [Float]) -> Void) -> ExpandedTensor {
    ExpandedTensor(entry: SafetensorsWriter.Entry(tensor, as: .float32)) { _, values in
      for index in values.indices { values[index] = 0 }
      fill(&values)
    }
  }
}

/// Repeatable random weights for one row.
struct Noise: Sendable {
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
  func row(_ row: Int) -> [Float] {
    let length = shape[shape.count - 1]
    return floats(in: row * length..<(row + 1) * length)
  }

  func copyRow(_ row: Int, scaledBy factor: Float = 1, to values: inout [Float]) {
    for (index, value) in self.row(row).enumerated() { values[index] = value * factor }
  }

  /// Copies vectors of `small` channels that stand side by side in a row to where such of `large` channels begin.
  func spreadRow(
    _ row: Int, of small: Int, over large: Int, scaledBy factor: Float = 1, to values: inout [Float]
  ) {
    for (index, value) in self.row(row).enumerated() {
      let (part, channel) = index.quotientAndRemainder(dividingBy: small)
      values[part * large + channel] = value * factor
    }
  }

  /// The largest magnitude in a row.
  func peak(of row: Int) -> Float { self.row(row).reduce(0) { max($0, abs($1)) } }
}
