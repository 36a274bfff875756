internal import ModelFiles
internal import Tensor

/// The weights of a gated feed-forward network in one layer.
struct GatedWeights {
  /// `[hidden]`.
  let norm: [Float]
  /// Gate and up projections, each `[intermediate, hidden]`, interleaved by panels.
  let gateUp: PackedMatrix
  let gateUpBias: (gate: [Float], up: [Float])?
  /// `[hidden, intermediate]`.
  let down: PackedMatrix
  let downBias: [Float]?
  /// `[hidden]`, of what is added to the residual stream; `nil` when the model has none.
  let postNorm: [Float]?

  init(_ tensors: GatedTensors, _ packing: WeightPacking) throws {
    let (gate, up) = (try packing.view(tensors.gate.weight), try packing.view(tensors.up.weight))
    let result = try packing.view(tensors.down.weight)
    let norm = try packing.floats(tensors.norm)
    let (packer, pool) = (packing.packer, packing.packer.threads)
    let format = Self.commonFormat(packing.format(of: gate), packing.format(of: up))

    var intermediate: [Int8]?
    if packing.isScaling(result) {
      intermediate = ChannelScaling.exponents(
        levelling: columnPeaks(of: [result], pool: pool), and: rowPeaks(of: up, pool: pool))
    }
    // Rows of the up projection take back what the columns of their reader are multiplied by.
    let upExponents = intermediate.map(ChannelScaling.negated)
    var inputs: [Int8]?
    if packing.isScaling(gate, up, in: format) {
      inputs = ChannelScaling.exponents(
        levelling: columnPeaks(
          of: [gate, up], rowExponents: upExponents.map { [Int8](repeating: 0, count: gate.shape[0]) + $0 }, pool: pool),
        and: norm)
    }
    gateUp = try packer.pair(
      gate: gate, up: up, format: format,
      rounding: WeightRounding(columnExponents: inputs, rowExponents: upExponents))
    down = try packer.stack(
      [result], format: packing.format(of: result), rounding: WeightRounding(columnExponents: intermediate))

    self.norm = ChannelScaling.divide(norm, by: gateUp.columnExponents)
    if let gate = tensors.gate.bias, let up = tensors.up.bias {
      gateUpBias = (
        try packing.floats(gate), ChannelScaling.divide(try packing.floats(up), by: down.columnExponents)
      )
    } else {
      gateUpBias = nil
    }
    downBias = try packing.floats(ifPresent: tensors.down.bias)
    postNorm = try packing.floats(ifPresent: tensors.postNorm)
  }

  init(_ tensors: GatedTensors, random: RandomWeights) throws {
    norm = random.ones(tensors.norm)
    gateUp = try random.matrix([tensors.gate.weight], place: 2, isGatePair: true)
    gateUpBias = tensors.gate.bias.map { (random.zeros([$0]), random.zeros([$0])) }
    down = try random.matrix([tensors.down.weight], place: 3)
    downBias = tensors.down.bias.map { random.zeros([$0]) }
    postNorm = tensors.postNorm.map(random.ones)
  }

  /// The one format of gate and up: theirs, or eight bits where a file has them in two.
  static func commonFormat(_ gate: WeightFormat, _ up: WeightFormat) -> WeightFormat {
    gate == up ? gate : gate == .bfloat16 || up == .bfloat16 ? .bfloat16 : .int8
  }
}
