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
  /// Epsilon of the expanded model's norms.
  package var epsilon: Float { layers.epsilon }
  /// The shape to be filled; with the small model's positions.
  package var shape: ModelConfiguration { layers.shape }
  /// The small model.
  package var source: ModelConfiguration { layers.source }

  let layers: LayerExpansion
  let peakOutput: Float
  /// Weight of the constant channels in the last norm.
  let constantNorm: Float

  var checkpoint: Checkpoint { layers.checkpoint }

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
    try Self.check(source, to: shape, path: checkpoint.directory)
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
    guard source.rmsNormEpsilon > 0, peakOutput > 0 else {
      throw refuse("has rms_norm_eps \(source.rmsNormEpsilon) and a peak output of \(peakOutput); expected more than 0")
    }
    layers = try LayerExpansion(
      of: checkpoint, from: source, to: shape, constant: LayerExpansion.constant(of: source))
    guard source.tiesWordEmbeddings || !shape.tiesWordEmbeddings else {
      throw refuse("has an output matrix of its own, and the shape's is the embedding")
    }
    self.peakOutput = peakOutput
    let share = Float(source.hiddenSize) / Float(shape.hiddenSize)
    constantNorm = 0.5 * peakOutput * share.squareRoot() / layers.constant
  }

  /// Makes sure that models of this kind are expanded, each kind to its own.
  static func check(
    _ source: ModelConfiguration, to shape: ModelConfiguration, path: String
  ) throws(ModelFileError) {
    guard [.qwen3, .qwen3MoE].contains(source.architecture), shape.architecture == source.architecture,
      !source.hasQueryKeyValueBias
    else {
      throw ModelFileError(
        path,
        "is a \(source.architecture.rawValue) or has biases, and the shape is a \(shape.architecture.rawValue); only Qwen3 models without biases are expanded, each kind to its own"
      )
    }
  }
}
