internal import Tensor

/// A tensor that has the weights of all experts of a layer, one after the other, as GGUF files and newer checkpoints of
/// Hugging Face's have them.
struct StackedExperts {
  private let layer: Int
  /// Whether the layer is of an MTP head, whose layers are counted apart.
  private var isOfHead = false
  /// What each expert's part is: the rows of one matrix, or of two, one below the other.
  private let roles: [TensorRole]

  /// Sources: llama.cpp's tensor names; `Qwen3MoeExperts` in `transformers`.
  private static let gguf: [String: [TensorRole]] = [
    "ffn_gate_exps": [.gate], "ffn_up_exps": [.up], "ffn_down_exps": [.down], "ffn_gate_up_exps": [.gate, .up],
  ]
  private static let huggingFace: [String: [TensorRole]] = ["gate_up_proj": [.gate, .up], "down_proj": [.down]]

  /// Those that GGUF files call `name`; `nil` for the name of something else.
  init?(gguf name: String) {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 4, parts[0] == "blk", parts[3] == "weight", let layer = Int(parts[1]), "\(layer)" == parts[1],
      let roles = Self.gguf[parts[2]]
    else { return nil }
    (self.layer, self.roles) = (layer, roles)
  }

  /// Those that Hugging Face's checkpoints call `name` ("model.layers.0.mlp.experts.down_proj"); `nil` as above.
  init?(huggingFace name: String) {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 6, ["model", Self.head].contains(parts[0]), parts[1] == "layers", parts[3] == "mlp",
      parts[4] == "experts", let layer = Int(parts[2]), "\(layer)" == parts[2], let roles = Self.huggingFace[parts[5]]
    else { return nil }
    (self.layer, self.roles, isOfHead) = (layer, roles, parts[0] == Self.head)
  }

  /// How the names of an MTP head's layers begin, in the place of "model".
  private static let head = "mtp"

  /// What Hugging Face's checkpoints call an expert's matrix.
  func huggingFace(_ name: TensorName) -> String {
    isOfHead ? Self.head + name.huggingFace.dropFirst("model".count) : name.huggingFace
  }

  /// The experts' matrices.
  ///
  /// - Throws: `ModelFileError` for a tensor that cannot be cut into as many.
  func split(_ tensor: StoredTensor) throws(ModelFileError) -> [(TensorName, StoredTensor)] {
    let shape = tensor.shape
    guard shape.count == 3, (1...ExpertConfiguration.mostExperts).contains(shape[0]), shape[1] % roles.count == 0,
      shape[1] > 0, tensor.byteRange.count % (shape[0] * roles.count) == 0
    else {
      throw ModelFileError(
        tensor.file.path,
        "tensor '\(tensor.name)' has shape \(shape); expected [experts, outputs, inputs], of at most \(ExpertConfiguration.mostExperts) experts"
      )
    }
    let (rows, bytes) = (shape[1] / roles.count, tensor.byteRange.count / (shape[0] * roles.count))
    if let parts = tensor.parts { return try split(tensor, parts, rows: rows) }
    return (0..<shape[0] * roles.count).map { part in
      let (expert, place) = part.quotientAndRemainder(dividingBy: roles.count)
      let first = tensor.byteRange.lowerBound + part * bytes
      var own = StoredTensor(
        name: tensor.name, elementType: tensor.elementType, shape: [rows, shape[2]], byteRange: first..<first + bytes,
        file: tensor.file)
      if let make = tensor.makeRow { own.makeRow = { row, values in make(part * rows + row, &values) } }
      return (TensorName(roles[place], layer: layer, expert: expert), own)
    }
  }
}

extension StackedExperts {
  /// As above, of quantised matrices.
  fileprivate func split(
    _ tensor: StoredTensor, _ parts: MatrixParts, rows: Int
  ) throws(ModelFileError) -> [(TensorName, StoredTensor)] {
    var matrices: [(TensorName, StoredTensor)] = []
    for first in stride(from: 0, to: parts.rows, by: rows) {
      guard let part = parts.part(first..<first + rows) else {
        throw ModelFileError(
          tensor.file.path, "unsupported: tensor '\(tensor.name)', whose experts' matrices share scales with each other"
        )
      }
      let (expert, place) = (first / rows).quotientAndRemainder(dividingBy: roles.count)
      matrices.append(
        (
          TensorName(roles[place], layer: layer, expert: expert),
          StoredTensor(name: tensor.name, shape: [rows, parts.columns], parts: part)
        ))
    }
    return matrices
  }
}

extension Checkpoint {
  /// The same with a tensor for each expert's matrix.
  ///
  /// - Throws: `ModelFileError` for tensors of experts that cannot be cut.
  func withExpertsApart() throws(ModelFileError) -> Checkpoint {
    try replacing { name, tensor throws(ModelFileError) in
      guard let experts = StackedExperts(huggingFace: name) else { return nil }
      return try experts.split(tensor).map { (experts.huggingFace($0), $1) }
    }
  }
}
