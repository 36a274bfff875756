internal import ModelFiles
internal import Tensor

/// The weights of a gated delta net in one layer.
struct DeltaNetWeights {
  /// `[hidden]`.
  let norm: [Float]
  /// What the convolution reads, the output's gate, strengths and decays, one below the other: `[inputs, hidden]`.
  let inputs: [PackedMatrix]
  let parameters: DeltaNetParameters
  /// `[hidden, value heads · value size]`.
  let output: PackedMatrix

  init(_ tensors: DeltaNetTensors, _ packing: WeightPacking) throws {
    let views = try tensors.inputs.map { try packing.view($0) }
    let formats = zip(views, tensors.inputs).map { packing.format(of: $0, for: $1.name.role) }
    let norm = try packing.floats(tensors.norm)
    var exponents: [Int8]?
    if packing.isScaling(views[0], views[1]) {
      exponents = ChannelScaling.exponents(
        levelling: columnPeaks(of: [views[0], views[1]], pool: packing.packer.threads), and: norm)
    }
    inputs = try packing.packer.stack(
      views, formats: formats, rounding: WeightRounding(columnExponents: exponents))
    self.norm = ChannelScaling.divide(norm, by: inputs.first?.columnExponents)
    parameters = DeltaNetParameters(
      tensors.sizes, kernels: try packing.floats(tensors.convolution), rates: try packing.floats(tensors.decayRate),
      biases: try packing.floats(tensors.decayBias), norm: try packing.floats(tensors.outputNorm))
    let result = try packing.view(tensors.output)
    output = try packing.packer.stack([result], format: packing.format(of: result))
  }

  init(_ tensors: DeltaNetTensors, random: RandomWeights) throws {
    norm = random.ones(tensors.norm)
    inputs = [try random.matrix(tensors.inputs, place: 0)]
    let sizes = tensors.sizes
    parameters = DeltaNetParameters(
      sizes, kernels: [Float](repeating: 1 / Float(sizes.kernelSize), count: tensors.convolution.count),
      rates: [Float](repeating: -1, count: sizes.valueHeadCount), biases: random.zeros([tensors.decayBias]),
      norm: random.ones(tensors.outputNorm))
    output = try random.matrix([tensors.output], place: 1)
  }
}
