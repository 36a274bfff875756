internal import Tensor

/// A trained model embedded in a larger shape: it costs what a model of that shape costs, and computes what the small
/// one computes.
///
/// Of a mixture of experts each expert becomes as many equal ones as the shape has rows go through more of them, and what
/// is left of the shape's experts is never chosen.
///
/// Residual channels, heads, feed-forward channels and layers are added whose outputs are zero while most of their
/// weights are not, and ids that no logits favour. Two of the new residual channels hold a constant: what they add to
/// the mean square is taken from the norms' epsilon, and through them the added ids get logits far below all others.
/// Added weights stay below the largest of their row and in groups of their own, so that the trained ones are
/// quantised as before. What differs is rounding, and the epsilon of the norms on queries and keys, which shares one
/// number with the others in `config.json` and becomes smaller.
package struct ModelExpansion: Sendable {
  package let source: ModelConfiguration
  /// The shape to be filled; with the small model's positions.
  package let shape: ModelConfiguration
  /// Epsilon of the expanded model's norms.
  package let epsilon: Float

  let checkpoint: Checkpoint
  let heads: HeadPlan
  let peakOutput: Float
  /// Value of the first constant channel; the second's is its negative.
  let constant: Float
  /// Weight of the constant channels in the last norm.
  let constantNorm: Float

  /// Groups of four-bit weights.
  private static let group = 32

  /// Plans an expansion.
  ///
  /// - Parameters:
  ///   - checkpoint: the small model's tensors.
  ///   - peakOutput: over typical positions, the least of the largest magnitudes of the last residual times the last
  ///     norm's weight: the constant channels are kept below it.
  /// - Throws: `ModelFileError` that says which part of the model the shape has no room for.
  package init(
    of checkpoint: Checkpoint, configuration source: ModelConfiguration, to shape: ModelConfiguration,
    peakOutput: Float
  ) throws(ModelFileError) {
    func refuse(_ reason: String) -> ModelFileError { ModelFileError(checkpoint.directory, reason) }
    guard [.qwen3, .qwen3MoE].contains(source.architecture), shape.architecture == source.architecture,
      !source.hasQueryKeyValueBias
    else {
      throw refuse(
        "is a \(source.architecture.rawValue) or has biases, and the shape is a \(shape.architecture.rawValue); only Qwen3 models without biases are expanded, each kind to its own"
      )
    }
    if let small = source.experts, let large = shape.experts {
      guard small.denseLayers.isEmpty, large.denseLayers.isEmpty, small.normalizesWeights, large.normalizesWeights
      else {
        throw refuse("or its shape has layers without experts, or shares of all experts; those are not expanded")
      }
      guard large.chosenCount % small.chosenCount == 0,
        small.count * (large.chosenCount / small.chosenCount) <= large.count
      else {
        throw refuse(
          "has \(small.count) experts, \(small.chosenCount) for each token; the shape's \(large.count), \(large.chosenCount) for each, have no room for them"
        )
      }
    }
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
    guard source.tiesWordEmbeddings || !shape.tiesWordEmbeddings else {
      throw refuse("has an output matrix of its own, and the shape's is the embedding")
    }
    guard source.rmsNormEpsilon > 0, peakOutput > 0 else {
      throw refuse("has rms_norm_eps \(source.rmsNormEpsilon) and a peak output of \(peakOutput); expected more than 0")
    }
    (self.source, self.shape, self.checkpoint, self.heads) = (source, shape, checkpoint, heads)
    self.peakOutput = peakOutput
    // Sum of squares / hidden + epsilon must be the same up to the factor that the norms' weights take back.
    let share = Float(source.hiddenSize) / Float(shape.hiddenSize)
    let wanted = (source.rmsNormEpsilon * Float(source.hiddenSize)).squareRoot() / 2
    constant = Float(bitPattern: wanted.bitPattern & 0xFFFF_0000)
    epsilon = source.rmsNormEpsilon * share - 2 * constant * constant / Float(shape.hiddenSize)
    constantNorm = 0.5 * peakOutput * share.squareRoot() / constant
  }

  /// Factor of the norms over the residual stream: the mean is taken over more channels.
  var normFactor: Float { (Float(source.hiddenSize) / Float(shape.hiddenSize)).squareRoot() }
}

extension ModelConfiguration {
  /// Width of the feed-forward networks, or of an expert.
  var networkSize: Int { experts?.intermediateSize ?? intermediateSize }
}
