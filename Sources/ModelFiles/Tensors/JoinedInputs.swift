internal import Tensor

/// A tensor that has several matrices of a gated delta net, the rows of a key head side by side, as Qwen3-Next's
/// checkpoints have them.
struct JoinedInputs {
  private let layer: Int
  private let kind: Kind

  private enum Kind: CaseIterable {
    /// By key head its query, its key, its values, their gates.
    case channels
    /// By key head the strengths, then the decays of its values' states.
    case rates

    /// Sources: `Qwen3NextGatedDeltaNet` in `transformers`; llama.cpp's tensor names.
    var spelling: (huggingFace: String, gguf: String) {
      switch self {
      case .channels: ("linear_attn.in_proj_qkvz", "ssm_in")
      case .rates: ("linear_attn.in_proj_ba", "ssm_ba")
      }
    }
  }

  /// The one that GGUF files call `name`; `nil` for the name of something else.
  init?(gguf name: String) {
    self.init(name, prefix: ["blk"]) { $0.spelling.gguf }
  }

  /// The one that Hugging Face's checkpoints call `name`; `nil` as above.
  init?(huggingFace name: String) {
    self.init(name, prefix: ["model", "layers"]) { $0.spelling.huggingFace }
  }

  private init?(_ name: String, prefix: [String], spelling: (Kind) -> String) {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count > prefix.count + 1, Array(parts[..<prefix.count]) == prefix, parts.last == "weight",
      let layer = Int(parts[prefix.count]), "\(layer)" == parts[prefix.count]
    else { return nil }
    let own = parts[(prefix.count + 1)...].dropLast().joined(separator: ".")
    guard let kind = Kind.allCases.first(where: { spelling($0) == own }) else { return nil }
    (self.layer, self.kind) = (layer, kind)
  }

  /// The matrices, whose rows it has in groups.
  ///
  /// - Throws: `ModelFileError` for a tensor of another shape than layers of `shape` have.
  func split(_ tensor: StoredTensor, by shape: DeltaNetShape) throws(ModelFileError) -> [(TensorName, StoredTensor)] {
    let values = shape.valueHeadCount / shape.keyHeadCount
    let (size, parts): (Int, [(TensorRole, [Range<Int>])])
    switch kind {
    case .channels:
      let (keys, width) = (2 * shape.keySize, values * shape.valueSize)
      size = keys + 2 * width
      parts = [
        (.recurrentInput, [0..<shape.keySize, shape.keySize..<keys, keys..<keys + width]),
        (.recurrentGate, [keys + width..<size]),
      ]
    case .rates:
      size = 2 * values
      parts = [(.strength, [0..<values]), (.decay, [values..<size])]
    }
    guard tensor.isMatrix, tensor.shape[0] == shape.keyHeadCount * size, tensor.rowOrder == .natural else {
      throw ModelFileError(
        tensor.file.path,
        "tensor '\(tensor.name)' has shape \(tensor.shape); expected \(size) rows for each of the \(shape.keyHeadCount) key heads"
      )
    }
    return parts.map { role, places in
      var part = tensor
      part.shape[0] = shape.keyHeadCount * places.reduce(0) { $0 + $1.count }
      part.rowOrder = .groups(count: shape.keyHeadCount, size: size, places: places)
      return (TensorName(role, layer: layer), part)
    }
  }
}

extension Checkpoint {
  /// The same with a tensor for each of the matrices that read a recurrent layer's input.
  ///
  /// - Throws: `ModelFileError` for tensors that `configuration`, which is asked for where there are such, does not fit.
  func withInputsApart(
    _ configuration: () throws(ModelFileError) -> ModelConfiguration
  ) throws(ModelFileError) -> Checkpoint {
    guard tensorNames.contains(where: { JoinedInputs(huggingFace: $0) != nil }),
      let shape = try configuration().recurrence?.shape
    else { return self }
    return try replacing { name, tensor throws(ModelFileError) in
      try JoinedInputs(huggingFace: name)?.split(tensor, by: shape).map { ($0.huggingFace, $1) }
    }
  }
}
