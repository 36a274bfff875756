internal import ModelFiles
internal import Tensor

struct DecoderLayerWeights {
  let mixer: MixerWeights
  let feedForward: FeedForwardWeights

  var matrices: [PackedMatrix] { mixer.matrices + feedForward.matrices }

  init(_ layer: DecoderLayer, _ packing: WeightPacking) throws {
    switch layer.mixer {
    case .attention(let tensors): mixer = .attention(try AttentionWeights(tensors, packing))
    case .deltaNet(let tensors): mixer = .deltaNet(try DeltaNetWeights(tensors, packing))
    }
    switch layer.feedForward {
    case .gated(let tensors): feedForward = .gated(try GatedWeights(tensors, packing))
    case .experts(let tensors): feedForward = .experts(try ExpertWeights(tensors, packing))
    }
  }

  /// Random weights: norms are ones and biases zeros.
  init(_ layer: DecoderLayer, random: RandomWeights) throws {
    switch layer.mixer {
    case .attention(let tensors): mixer = .attention(try AttentionWeights(tensors, random: random))
    case .deltaNet(let tensors): mixer = .deltaNet(try DeltaNetWeights(tensors, random: random))
    }
    switch layer.feedForward {
    case .gated(let tensors): feedForward = .gated(try GatedWeights(tensors, random: random))
    case .experts(let tensors): feedForward = .experts(try ExpertWeights(tensors, random: random))
    }
  }
}

/// The weights of what each row of a layer goes through alone.
enum FeedForwardWeights {
  case gated(GatedWeights)
  case experts(ExpertWeights)

  var matrices: [PackedMatrix] {
    switch self {
    case .gated(let weights): [weights.gateUp, weights.down]
    case .experts(let weights):
      [weights.router] + weights.routerRest + weights.gateUp + weights.down + (weights.shared?.matrices ?? [])
    }
  }

  /// Memory of the matrices of experts that rows choose.
  var expertByteCount: Int {
    switch self {
    case .gated: 0
    case .experts(let weights): (weights.gateUp + weights.down).reduce(0) { $0 + $1.byteCount }
    }
  }

  /// The matrix that is read first.
  var first: PackedMatrix {
    switch self {
    case .gated(let weights): weights.gateUp
    case .experts(let weights): weights.router
    }
  }
}

/// The weights of what lets a layer's rows see other positions.
enum MixerWeights {
  case attention(AttentionWeights)
  case deltaNet(DeltaNetWeights)

  /// `[hidden]`, as `inputs` read it.
  var norm: [Float] {
    switch self {
    case .attention(let weights): weights.norm
    case .deltaNet(let weights): weights.norm
    }
  }

  /// The matrices that read the normalised stream.
  var inputs: [PackedMatrix] {
    switch self {
    case .attention(let weights): weights.queryKeyValue
    case .deltaNet(let weights): weights.inputs
    }
  }

  var output: PackedMatrix {
    switch self {
    case .attention(let weights): weights.output
    case .deltaNet(let weights): weights.output
    }
  }

  var matrices: [PackedMatrix] { inputs + [output] }
}

/// Where a model's weights come from, and what becomes of them.
struct WeightPacking {
  let checkpoint: Checkpoint
  let quantization: Quantization
  let packer: MatrixPacker

  /// A matrix to be packed; of packed ones the shape and the format are enough.
  func view(_ tensor: DecoderTensor) throws(ModelFileError) -> TensorView {
    try packer.isPacking ? checkpoint.tensor(tensor) : checkpoint.outline(of: tensor)
  }

  func floats(_ tensor: DecoderTensor) throws(ModelFileError) -> [Float] { try checkpoint.floats(tensor) }

  func floats(ifPresent tensor: DecoderTensor?) throws(ModelFileError) -> [Float]? {
    guard let tensor else { return nil }
    return try floats(tensor)
  }

  func format(of matrix: TensorView, for role: TensorRole) -> WeightFormat {
    quantization.format(of: matrix.elementType, for: role)
  }

  func format(of matrix: TensorView) -> WeightFormat { quantization.format(of: matrix.elementType) }

  /// How channels are scaled is found out when matrices are packed; packed ones know it.
  func isScaling(_ matrices: TensorView..., in format: WeightFormat? = nil) -> Bool {
    packer.isPacking && matrices.allSatisfy { $0.isRounded(to: format ?? self.format(of: $0)) }
  }
}

extension WeightPacking {
  /// Packs a checkpoint's weights, or takes them from `cache`, which hears of those that were packed.
  ///
  /// - Parameters:
  ///   - description: what, besides the files, says which weights these are.
  ///   - make: asks the packing for its matrices, always in the same order.
  /// - Returns: the weights, and their name in the cache.
  static func packed<Weights>(
    _ checkpoint: Checkpoint, described description: String, quantization: Quantization, pool: WorkerPool,
    cache: WeightCache?, make: (WeightPacking) throws -> Weights
  ) throws -> (weights: Weights, cacheKey: String?) {
    let entry = cache?.entry(for: checkpoint, described: description, quantization: quantization)
    func weights(_ packer: MatrixPacker) throws -> Weights {
      let weights = try make(WeightPacking(checkpoint: checkpoint, quantization: quantization, packer: packer))
      // What was packed of a file that changed meanwhile must not be kept for the file as it was.
      try checkpoint.checkUnchanged()
      return weights
    }
    if let cache, let entry, let file = cache.open(entry, pool: pool) {
      do { return (try weights(MatrixPacker(pool: pool, file: file)), entry.key) } catch let error as PackingError {
        cache.report("'\(entry.path)': \(error); the weights are packed anew")
      }
    }
    let packer = MatrixPacker(pool: pool)
    let made = try weights(packer)
    if let cache, let entry { cache.save(packer.matrices, as: entry, pool: pool) }
    return (made, entry?.key)
  }
}

extension TensorView {
  /// Whether `format` rounds these weights to integers: they are floats, and it is not.
  func isRounded(to format: WeightFormat) -> Bool { elementType.heldFormat == .bfloat16 && format != .bfloat16 }
}
