package import Tensor

/// A head's files, opened: everything but the weights' values.
public struct Head: Sendable {
  /// Where it is.
  public let path: String
  /// `config.json`.
  public let configuration: HeadConfiguration
  package let checkpoint: Checkpoint
  /// The target's token for each token of the head's; `nil` where they are the same.
  package let targetTokens: [Int32]?

  /// What a head's file may have that decoding does not need: which of the target's tokens the head has, and parts of the
  /// target that training kept.
  private static let unused: Set = ["t2d", "verifier_norm.weight", "verifier_lm_head.weight"]
  private static let map = "d2t"

  /// Checks that the tensors are those that the configuration asks for.
  ///
  /// - Parameters:
  ///   - absoluteMap: whether the file has the target's tokens themselves, and not their distances.
  ///   - targetTokens: the target's tokens of a head whose tensors no file holds.
  ///   - named: what the file calls a tensor.
  init(
    path: String, configuration: HeadConfiguration, checkpoint: Checkpoint, absoluteMap: Bool = false,
    targetTokens made: [Int32]? = nil, named: (String) -> String = { $0 }
  ) throws(ModelFileError) {
    (self.path, self.configuration, self.checkpoint) = (path, configuration, checkpoint)
    let tensors = HeadTensors(configuration)
    var known = Self.unused
    for tensor in tensors.required + tensors.optional {
      known.insert(tensor.name.huggingFace)
      if let shape = checkpoint.shape(of: tensor.name.huggingFace), shape != tensor.shape {
        throw ModelFileError(
          path,
          "tensor '\(named(tensor.name.huggingFace))' has shape \(shape); the head's configuration asks for \(tensor.shape)"
        )
      }
    }
    if let missing = tensors.required.first(where: { checkpoint.shape(of: $0.name.huggingFace) == nil }) {
      throw ModelFileError(
        path, "the tensor '\(named(missing.name.huggingFace))' is missing, which this kind of head has")
    }
    if let odd = checkpoint.tensorNames.first(where: { !known.contains($0) && $0 != Self.map }) {
      throw ModelFileError(path, "unsupported: the tensor '\(named(odd))', which heads of this kind do not have")
    }
    if let made {
      targetTokens = made
    } else {
      targetTokens = try Self.targetTokens(configuration, checkpoint, absoluteMap: absoluteMap, path: path)
    }
  }

  private static func targetTokens(
    _ configuration: HeadConfiguration, _ checkpoint: Checkpoint, absoluteMap: Bool, path: String
  ) throws(ModelFileError) -> [Int32]? {
    let (count, vocabulary) = (configuration.vocabularySize, configuration.layers.vocabularySize)
    guard checkpoint.shape(of: map) != nil else {
      guard count == vocabulary else {
        throw ModelFileError(
          path, "the tensor 'd2t' is missing: the head has \(count) tokens, and nothing says which of \(vocabulary)")
      }
      return nil
    }
    var tokens: [Int32] = []
    for (index, value) in try checkpoint.integers(map, count: count).enumerated() {
      let (sum, overflow) = value.addingReportingOverflow(absoluteMap ? 0 : index)
      guard !overflow, sum >= 0, sum < vocabulary else {
        throw ModelFileError(
          path, "d2t[\(index)] is \(value), which names no token of a vocabulary of \(vocabulary)")
      }
      tokens.append(Int32(sum))
    }
    return tokens
  }

  /// Whether the head has an embedding of its own.
  package var hasEmbedding: Bool { has(HeadTensors(configuration).embedding) }
  /// Whether the head has an output matrix of its own.
  package var hasOutput: Bool { has(HeadTensors(configuration).output) }
  /// Whether the head says how likely its proposals are to be accepted.
  package var hasConfidence: Bool { HeadTensors(configuration).confidence.map { has($0.weight) } ?? false }
  /// Whether masks are read as a vector that the head has for them.
  package var hasMaskEmbedding: Bool { HeadTensors(configuration).maskEmbedding.map(has) ?? false }
  package func has(_ tensor: DecoderTensor) -> Bool { checkpoint.shape(of: tensor.name.huggingFace) != nil }

  /// Memory of the packed matrices, in bytes; an output matrix that is the target's is packed once more.
  package func packedByteCount(_ quantization: Quantization) -> Int {
    let tensors = HeadTensors(configuration)
    func byteCount(_ matrix: DecoderTensor, isHead: Bool = false) -> Int {
      let type = checkpoint.elementType(of: matrix) ?? .bfloat16
      let format =
        isHead ? quantization.format(of: type, isHead: true) : quantization.format(of: type, for: matrix.name.role)
      return format.packedByteCount(rows: matrix.shape[0], columns: matrix.shape[1])
    }
    let ends = ([tensors.fusion, tensors.output] + [tensors.markov?.output].compactMap(\.self))
      .reduce(0) { $0 + byteCount($1, isHead: true) }
    return tensors.layers.flatMap(\.all).filter(\.isMatrix).reduce(ends) { $0 + byteCount($1) }
  }

  /// Bytes of the file of the weights.
  package var fileBytes: Int { checkpoint.bytesByType.values.reduce(0, +) }

  /// Checks that it can go on from `target`.
  ///
  /// - Throws: `ModelFileError` that says what does not fit.
  package func check(fits target: ModelConfiguration) throws(ModelFileError) {
    func refuse(_ what: String) -> ModelFileError {
      let made = configuration.targetName.map { "; it was made for \($0)" } ?? ""
      return ModelFileError(path, "does not fit this target: \(what)\(made)")
    }
    guard target.architecture.variations.gemma == nil else {
      throw refuse("heads on models of the family \(target.architecture.rawValue) are unsupported")
    }
    guard configuration.targetHiddenSize == target.hiddenSize else {
      throw refuse(
        "it reads streams of \(configuration.targetHiddenSize) channels, and the target's have \(target.hiddenSize)")
    }
    guard configuration.layers.vocabularySize == target.vocabularySize else {
      throw refuse(
        "its tokens are of a vocabulary of \(configuration.layers.vocabularySize), and the target's has \(target.vocabularySize)"
      )
    }
    let taps = configuration.taps(layerCount: target.layerCount)
    // The output of the last layer is a stream to some readers of blocks and normalised to others.
    let last = configuration.kind == .dflash ? target.layerCount - 1 : target.layerCount
    guard zip(taps, taps.dropFirst()).allSatisfy(<), taps.allSatisfy((0...last).contains) else {
      throw refuse("it reads the streams that enter layers \(taps), and the target has \(target.layerCount) layers")
    }
    if let count = configuration.targetLayerCount, count != target.layerCount {
      throw refuse("it was trained on \(count) layers (num_target_layers), and the target has \(target.layerCount)")
    }
    guard hasEmbedding || configuration.layers.hiddenSize == target.hiddenSize else {
      throw refuse(
        "it has no embedding, and the target's is of \(target.hiddenSize) channels where it has \(configuration.layers.hiddenSize)"
      )
    }
    guard
      hasOutput
        || configuration.layers.hiddenSize == target.hiddenSize && configuration.vocabularySize == target.vocabularySize
    else {
      throw refuse(
        "it has no output matrix (lm_head), and the target's is [\(target.vocabularySize), \(target.hiddenSize)] where it needs [\(configuration.vocabularySize), \(configuration.layers.hiddenSize)]"
      )
    }
  }
}

extension Checkpoint {
  /// A head's tensors under the names that models' have.
  func namedAsInModels() throws(ModelFileError) -> Checkpoint {
    try renamed { name in
      var name = name.hasPrefix("model.") ? String(name.dropFirst("model.".count)) : name
      if name.hasPrefix("midlayer.") { name = "layers.0." + name.dropFirst("midlayer.".count) }
      let isInModel = ["layers.", "norm.", "embed_tokens."].contains { name.hasPrefix($0) }
      return isInModel ? "model." + name : name
    }
  }
}
