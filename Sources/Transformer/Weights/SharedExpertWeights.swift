internal import ModelFiles
internal import Tensor

/// The weights of an expert that all rows of a layer go through.
struct SharedExpertWeights {
  /// Gate and up projections, each `[intermediate, hidden]`, interleaved by panels.
  let gateUp: PackedMatrix
  /// `[hidden, intermediate]`.
  let down: PackedMatrix
  /// How much of it counts is the sigmoid of the product with it, `[hidden]`.
  let share: [Float]

  var matrices: [PackedMatrix] { [gateUp, down] }

  /// - Parameters:
  ///   - inputs: powers of two by channel that the layer's matrices are packed with; `nil` for none.
  ///   - share: as the file has it.
  ///   - exponents: powers of two that the channels of what it reads were divided by; `nil` for none.
  init(
    _ expert: PackedExpert, inputs: [Int8]?, share: [Float], readAs exponents: [Int8]?, _ packing: WeightPacking
  ) throws {
    gateUp = try packing.packer.pair(
      gate: expert.gate, up: expert.up, format: expert.format,
      rounding: WeightRounding(columnExponents: inputs, rowExponents: expert.upExponents))
    down = try packing.packer.stack(
      [expert.down], format: packing.format(of: expert.down),
      rounding: WeightRounding(columnExponents: expert.intermediate))
    self.share = ChannelScaling.divide(share, by: exponents.map(ChannelScaling.negated))
  }

  /// - Parameter place: which of the layer's matrices its first one is.
  init(_ tensors: SharedExpertTensors, random: RandomWeights, place: UInt64) throws {
    gateUp = try random.matrix([tensors.gate], place: place, isGatePair: true)
    down = try random.matrix([tensors.down], place: place + 1)
    share = random.zeros([tensors.share])
  }
}
