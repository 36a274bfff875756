internal import ModelFiles
internal import Tensor

struct DecoderLayerWeights {
  let attention: AttentionWeights
  let feedForward: GatedWeights

  var matrices: [PackedMatrix] { attention.queryKeyValue + [attention.output, feedForward.gateUp, feedForward.down] }

  init(_ layer: DecoderLayer, _ packing: WeightPacking) throws {
    switch layer.mixer {
    case .attention(let tensors): attention = try AttentionWeights(tensors, packing)
    }
    switch layer.feedForward {
    case .gated(let tensors): feedForward = try GatedWeights(tensors, packing)
    }
  }

  /// Random weights: norms are ones and biases zeros.
  init(_ layer: DecoderLayer, random: RandomWeights) throws {
    switch layer.mixer {
    case .attention(let tensors): attention = try AttentionWeights(tensors, random: random)
    }
    switch layer.feedForward {
    case .gated(let tensors): feedForward = try GatedWeights(tensors, random: random)
    }
  }
}

/// Where a model's weights come from, and what becomes of them.
struct WeightPacking {
  let checkpoint: Checkpoint
  let quantization: Quantization
  let packer: MatrixPacker

  func view(_ tensor: DecoderTensor) throws(ModelFileError) -> TensorView { try checkpoint.tensor(tensor) }

  func floats(_ tensor: DecoderTensor) throws(ModelFileError) -> [Float] { try view(tensor).floats() }

  func floats(ifPresent tensor: DecoderTensor?) throws(ModelFileError) -> [Float]? {
    guard let tensor else { return nil }
    return try floats(tensor)
  }

  func format(of matrix: TensorView) -> WeightFormat { quantization.format(of: matrix.elementType) }

  /// How channels are scaled is found out when matrices are packed; packed ones know it.
  func isScaling(_ matrices: TensorView..., in format: WeightFormat? = nil) -> Bool {
    packer.isPacking && matrices.allSatisfy { $0.isRounded(to: format ?? self.format(of: $0)) }
  }
}

extension TensorView {
  /// Whether `format` rounds these weights to integers: they are floats, and it is not.
  func isRounded(to format: WeightFormat) -> Bool { elementType.heldFormat == .bfloat16 && format != .bfloat16 }
}
