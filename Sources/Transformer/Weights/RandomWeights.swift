internal import ModelFiles
internal import Tensor

/// Makes random weights in the packed layout, the same ones in every run.
struct RandomWeights {
  let quantization: Quantization
  let pool: WorkerPool
  let arena: MemoryArena
  /// What selects a layer's weights.
  let seed: UInt64

  /// Matrices of the given shapes on top of each other.
  ///
  /// - Parameter place: which of the layer's matrices it is.
  func matrix(_ tensors: [DecoderTensor], place: UInt64, isGatePair: Bool = false) throws -> PackedMatrix {
    try PackedMatrix(
      randomRows: tensors.reduce(0) { $0 + $1.shape[0] }, columns: tensors[0].shape[1], isGatePair: isGatePair,
      format: quantization.format(of: .bfloat16), seed: seed &+ place << 24, pool: pool, arena: arena)
  }

  /// As above for what chooses experts, with scores that tell them apart as those of trained ones do.
  func router(_ tensor: DecoderTensor, place: UInt64) throws -> PackedMatrix {
    try PackedMatrix(
      randomRows: tensor.shape[0], columns: tensor.shape[1], format: .bfloat16, seed: seed &+ place << 24, pool: pool,
      arena: arena)
  }

  func ones(_ tensor: DecoderTensor) -> [Float] { [Float](repeating: 1, count: tensor.count) }

  func zeros(_ tensors: [DecoderTensor]) -> [Float] {
    [Float](repeating: 0, count: tensors.reduce(0) { $0 + $1.count })
  }
}

extension EmbeddingTable {
  /// A few random rows between -1 and 1 that all tokens share.
  static func random(columns: Int) throws -> EmbeddingTable {
    let table = try Activations(rowCapacity: 64, columns: columns)
    var state: UInt64 = 1
    for row in 0..<table.rowCapacity {
      let values = (0..<columns).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(Int32(truncatingIfNeeded: state >> 32)) / 0x1p31
      }
      table.setRow(row, to: values)
    }
    return .random(rows: table)
  }
}
