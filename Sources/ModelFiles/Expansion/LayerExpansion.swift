internal import Tensor

/// Layers of a small model, or of a head, in the sizes of larger ones: what expansions share.
///
/// A vector of hidden channels has the small one's first, then two that hold a constant and its negative, then zeros. The
/// mean square over them is that of the small one times the ratio of the widths, which the norms' weights take back; what
/// the constants add to it is taken from epsilon.
struct LayerExpansion: Sendable {
  let source: ModelConfiguration
  /// The sizes to be filled.
  let shape: ModelConfiguration
  let checkpoint: Checkpoint
  let heads: HeadPlan
  /// Value of the first constant channel; the second's is its negative.
  let constant: Float
  /// Epsilon of the expanded norms.
  let epsilon: Float

  /// Groups of four-bit weights.
  static let group = 32

  /// - Parameters:
  ///   - checkpoint: the small model's tensors.
  ///   - constant: that of `constant(of:)`.
  /// - Throws: `ModelFileError` that says what the shape has no room for.
  init(
    of checkpoint: Checkpoint, from source: ModelConfiguration, to shape: ModelConfiguration, constant: Float
  ) throws(ModelFileError) {
    func refuse(_ reason: String) -> ModelFileError { ModelFileError(checkpoint.directory, reason) }
    guard source.windows.isEmpty, shape.windows.isEmpty else {
      throw refuse("or its shape has layers with a window; only models without are expanded")
    }
    for (name, small, large) in [
      ("hidden_size", source.hiddenSize + 2, shape.hiddenSize),
      ("num_hidden_layers", source.layerCount, shape.layerCount),
      ("intermediate_size", source.networkSize, shape.networkSize),
      ("vocab_size", source.vocabularySize, shape.vocabularySize),
    ] where small > large {
      throw refuse("needs \(name) of at least \(small); the shape has \(large)")
    }
    guard source.headSize == shape.headSize else {
      throw refuse("has head_dim \(source.headSize); the shape has \(shape.headSize), and rotary angles depend on it")
    }
    for (name, size) in [("hidden_size", source.hiddenSize), ("intermediate_size", source.networkSize)]
    where size % Self.group != 0 {
      throw refuse("has \(name) \(size); expected a multiple of \(Self.group), so that groups of weights stay whole")
    }
    guard
      let heads = HeadPlan(
        heads: source.headCount, kvHeads: source.kvHeadCount, expandedHeads: shape.headCount,
        expandedKVHeads: shape.kvHeadCount)
    else {
      throw refuse(
        "has \(source.headCount) heads on \(source.kvHeadCount) of keys and values; the shape's \(shape.headCount) on \(shape.kvHeadCount) have no room for them"
      )
    }
    (self.source, self.shape, self.checkpoint, self.heads) = (source, shape, checkpoint, heads)
    self.constant = constant
    epsilon = Self.epsilon(of: source, hiddenSize: shape.hiddenSize, constant: constant)
  }

  /// Epsilon of norms that are expanded to `hiddenSize` channels: the sum of squares over the width and epsilon must be the
  /// same up to the factor that the norms' weights take back.
  static func epsilon(of source: ModelConfiguration, hiddenSize: Int, constant: Float) -> Float {
    let share = Float(source.hiddenSize) / Float(hiddenSize)
    return source.rmsNormEpsilon * share - 2 * constant * constant / Float(hiddenSize)
  }

  /// The constant that the expansion of a model has in its residual stream, and what goes on from that stream as well.
  static func constant(of source: ModelConfiguration) -> Float {
    let wanted = (source.rmsNormEpsilon * Float(source.hiddenSize)).squareRoot() / 2
    return Float(bitPattern: wanted.bitPattern & 0xFFFF_0000)
  }

  /// Factor of the norms over hidden channels: the mean is taken over more of them.
  var normFactor: Float { (Float(source.hiddenSize) / Float(shape.hiddenSize)).squareRoot() }
}

extension ModelConfiguration {
  /// Width of the feed-forward networks, or of an expert.
  var networkSize: Int { experts?.intermediateSize ?? intermediateSize }
}
