internal import Foundation
internal import JSON
internal import Tensor

/// A trained EAGLE-3 head in the shape of a larger one: it costs what a head of that shape costs, and drafts on the
/// expanded target what the small one drafts on the small target.
///
/// Layers of the expanded target are the small one's as far as that has some, so the same ones are read, and their streams
/// begin with the small streams. Of the head's own tokens the added ones are the trained ones again, one round after the
/// other: rows of the output matrix are repeated with the ids that they stand for, so that an added token never says
/// anything of its own.
///
/// The target's constant channels go through what joins the streams, and stand in the head's residual stream too. What
/// differs is rounding, and epsilon: of norms on queries and keys, and where streams are normalised before or after they
/// are joined, so that the constants are gone.
package struct HeadExpansion: Sendable {
  /// The small head.
  package let source: Head
  /// The shape to be filled.
  package let shape: HeadConfiguration

  let layers: LayerExpansion
  /// The small head's target.
  let target: ModelConfiguration
  /// Where that is.
  let targetPath: String

  /// Tokens of a head of full size, as long as its target has so many: what published heads on Qwen3 have.
  ///
  /// Source: SpecForge's configurations of heads (`configs/qwen3-*-eagle3.json`).
  private static let publishedVocabulary = 32_000

  /// Plans the expansion of a head to the shape that published heads have on targets of the shape `target`: as wide as the
  /// target, and with as many heads and feed-forward channels as a layer of it without experts has.
  ///
  /// - Parameters:
  ///   - small: the small head's target.
  ///   - large: the shape to which that is expanded.
  /// - Throws: `ModelFileError` that says which part of the head the shape has no room for.
  package init(
    of head: Head, on small: any ModelContainer, to large: ModelConfiguration
  ) throws(ModelFileError) {
    let target = try small.configuration()
    try Self.check(head)
    try ModelExpansion.check(target, to: large, path: small.path)
    guard JSONFile.exists(head.path + "/config.json") else {
      throw ModelFileError(head.path, "has no config.json: only heads in directories are expanded")
    }
    let epsilon = LayerExpansion.epsilon(
      of: head.configuration.layers, hiddenSize: large.hiddenSize, constant: LayerExpansion.constant(of: target))
    try Self.check(epsilon, of: head, on: target)
    let text = try Self.configuration(of: head, on: target, to: large, epsilon: epsilon)
    let path = head.path + "/config.json"
    guard let shape = try HeadConfiguration(try JSONFile.decode(HeadFile.self, from: text, path: path), path: path)
    else { throw ModelFileError(path, "describes no head") }
    try self.init(of: head, on: target, at: small.path, to: shape)
  }

  /// - Parameters:
  ///   - target: the small head's target, which is at `path`.
  ///   - shape: of a head of the same kind.
  init(
    of head: Head, on target: ModelConfiguration, at path: String, to shape: HeadConfiguration
  ) throws(ModelFileError) {
    func refuse(_ reason: String) -> ModelFileError { ModelFileError(head.path, reason) }
    let small = head.configuration
    try Self.check(head)
    try head.check(fits: target)
    guard small.kind == shape.kind, small.layers.layerCount == shape.layers.layerCount,
      small.layers.architecture == shape.layers.architecture, small.streamNorm == shape.streamNorm,
      small.normalisesResidual == shape.normalisesResidual, small.recyclesNormalised == shape.recyclesNormalised
    else { throw refuse("has other parts than the shape: layers, or norms around what joins the streams") }
    let taps = small.taps(layerCount: target.layerCount)
    guard shape.tappedLayers == taps else {
      throw refuse("reads the streams that enter layers \(taps); the shape those of \(shape.tappedLayers ?? [])")
    }
    guard target.hiddenSize + 2 <= shape.targetHiddenSize, target.hiddenSize % LayerExpansion.group == 0 else {
      throw refuse(
        "reads streams of \(target.hiddenSize) channels, and the shape such of \(shape.targetHiddenSize); expected a multiple of \(LayerExpansion.group), and two more in the shape"
      )
    }
    guard small.vocabularySize <= shape.vocabularySize else {
      throw refuse("needs draft_vocab_size of at least \(small.vocabularySize); the shape has \(shape.vocabularySize)")
    }
    layers = try LayerExpansion(
      of: head.checkpoint, from: small.layers, to: shape.layers, constant: LayerExpansion.constant(of: target))
    try Self.check(layers.epsilon, of: head, on: target)
    (source, self.shape, self.target, targetPath) = (head, shape, target, path)
  }

  /// Makes sure that heads of this kind are expanded.
  private static func check(_ head: Head) throws(ModelFileError) {
    let (kind, layers) = (head.configuration.kind, head.configuration.layers)
    guard kind == .eagle3 else {
      throw ModelFileError(
        head.path, "is a head of the kind \(kind.rawValue); only those of the kind eagle3 are expanded")
    }
    guard !layers.hasQueryKeyValueBias, !layers.hasAttentionOutputBias, !layers.hasFeedForwardBias else {
      throw ModelFileError(head.path, "has biases; only heads without are expanded")
    }
    guard head.hasOutput else {
      throw ModelFileError(head.path, "has no output matrix (lm_head) of its own, which heads of full size have")
    }
  }

  /// Makes sure that what the target's constants add to a mean square can be taken from the head's epsilon.
  private static func check(
    _ epsilon: Float, of head: Head, on target: ModelConfiguration
  ) throws(ModelFileError) {
    guard epsilon > 0 else {
      throw ModelFileError(
        head.path,
        "has rms_norm_eps \(head.configuration.layers.rmsNormEpsilon), and its target \(target.rmsNormEpsilon); expected more than half of the target's"
      )
    }
  }

  /// The target's token for each token of the expanded head: those of the small one, again and again.
  var targetTokens: [Int32] {
    let count = source.configuration.vocabularySize
    let tokens = source.targetTokens ?? (0..<count).map { Int32($0) }
    return (0..<shape.vocabularySize).map { tokens[$0 % count] }
  }

  /// The small head's `config.json` with the sizes of the shape.
  static func configuration(
    of head: Head, on target: ModelConfiguration, to large: ModelConfiguration, epsilon: Float
  ) throws(ModelFileError) -> Data {
    var members = try ExpansionDirectory.configuration(in: head.path)
    // Its matrices are made as floats.
    members = JSONObject(members.pairs.filter { $0.key != "quantization_config" }.map { ($0.key, $0.value) })
    let sizes: [(String, JSONValue)] = [
      ("hidden_size", .integer(large.hiddenSize)), ("num_attention_heads", .integer(large.headCount)),
      ("num_key_value_heads", .integer(large.kvHeadCount)), ("head_dim", .integer(large.headSize)),
      ("intermediate_size", .integer(large.intermediateSize)), ("vocab_size", .integer(large.vocabularySize)),
      ("rms_norm_eps", .number(Double(epsilon))),
    ]
    if case .object(var nested)? = members["transformer_layer_config"] {
      for (key, value) in sizes { nested[key] = value }
      members["transformer_layer_config"] = .object(nested)
    } else {
      for (key, value) in sizes { members[key] = value }
    }
    members["target_hidden_size"] = .integer(large.hiddenSize)
    members["draft_vocab_size"] = .integer(min(publishedVocabulary, large.vocabularySize))
    if head.configuration.tappedLayers == nil {
      // The usual ones depend on how many layers there are.
      let taps = head.configuration.taps(layerCount: target.layerCount)
      members["eagle_aux_hidden_state_layer_ids"] = .array(taps.map { .integer($0) })
    }
    return ExpansionDirectory.text(of: members)
  }
}
