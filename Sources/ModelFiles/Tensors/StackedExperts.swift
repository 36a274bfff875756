internal import Tensor

/// A tensor that has the weights or biases of all experts of a layer, one after the other, as GGUF files and newer
/// checkpoints of Hugging Face's have them.
struct StackedExperts {
  /// How an expert's part is laid out.
  enum Layout: Sendable {
    /// The rows of one matrix, or of two, one below the other.
    case oneBelowTheOther
    /// The rows of two matrices in turns; of floats as they are the columns, as matrices are the other way round there.
    /// Source: `GptOssExperts` in `transformers`.
    case inTurns
  }

  private let layer: Int
  /// Whether the layer is of an MTP head, whose layers are counted apart.
  private var isOfHead = false
  /// What each expert's part is.
  private let roles: [TensorRole]
  private let isBias: Bool
  private let layout: Layout

  /// Sources: llama.cpp's tensor names; `Qwen3MoeExperts` in `transformers`.
  private static let gguf: [String: [TensorRole]] = [
    "ffn_gate_exps": [.gate], "ffn_up_exps": [.up], "ffn_down_exps": [.down], "ffn_gate_up_exps": [.gate, .up],
  ]
  private static let huggingFace: [String: [TensorRole]] = ["gate_up_proj": [.gate, .up], "down_proj": [.down]]

  /// Those that GGUF files call `name`; `nil` for the name of something else.
  ///
  /// - Parameter hasBiases: whether there are biases besides weights.
  init?(gguf name: String, hasBiases: Bool) {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 4, parts[0] == "blk", parts[3] == "weight" || hasBiases && parts[3] == "bias",
      let layer = Int(parts[1]), "\(layer)" == parts[1], let roles = Self.gguf[parts[2]]
    else { return nil }
    (self.layer, self.roles, isBias, layout) = (layer, roles, parts[3] == "bias", .oneBelowTheOther)
  }

  /// Those that Hugging Face's checkpoints call `name` ("model.layers.0.mlp.experts.down_proj"); `nil` as above.
  init?(huggingFace name: String, _ layout: Layout) {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 6, ["model", Self.head].contains(parts[0]), parts[1] == "layers", parts[3] == "mlp",
      parts[4] == "experts", let layer = Int(parts[2]), "\(layer)" == parts[2]
    else { return nil }
    let ending = "_bias"
    isBias = parts[5].hasSuffix(ending)
    guard let roles = Self.huggingFace[isBias ? String(parts[5].dropLast(ending.count)) : parts[5]] else { return nil }
    (self.layer, self.roles, self.layout, isOfHead) = (layer, roles, layout, parts[0] == Self.head)
  }

  /// How the names of an MTP head's layers begin, in the place of "model".
  private static let head = "mtp"

  /// What Hugging Face's checkpoints call an expert's matrix or bias.
  func huggingFace(_ name: TensorName) -> String {
    isOfHead ? Self.head + name.huggingFace.dropFirst("model".count) : name.huggingFace
  }

  /// The experts' matrices, or their biases.
  ///
  /// - Throws: `ModelFileError` for a tensor that cannot be cut into as many.
  func split(_ tensor: StoredTensor) throws(ModelFileError) -> [(TensorName, StoredTensor)] {
    let shape = tensor.shape
    // Outputs are the second extent, or the last where matrices are the other way round.
    let isTurned = layout == .inTurns && !isBias && tensor.parts == nil
    guard shape.count == (isBias ? 2 : 3), (1...ExpertConfiguration.mostExperts).contains(shape[0]),
      shape.allSatisfy({ (1...1 << 24).contains($0) }), shape[isTurned ? 2 : 1] % roles.count == 0,
      tensor.byteRange.count % (shape[0] * roles.count) == 0 || tensor.parts != nil
    else {
      throw ModelFileError(
        tensor.file.path,
        "tensor '\(tensor.name)' has shape \(shape); expected [experts, \(isBias ? "outputs" : isTurned ? "inputs, outputs" : "outputs, inputs")], of at most \(ExpertConfiguration.mostExperts) experts"
      )
    }
    if layout == .inTurns, isTurned || isBias { return try splitApart(tensor, isTurned: isTurned) }
    if let parts = tensor.parts { return try split(tensor, parts, rows: shape[1]) }
    let (rows, bytes) = (shape[1] / roles.count, tensor.byteRange.count / (shape[0] * roles.count))
    return (0..<shape[0] * roles.count).map { part in
      let (expert, place) = part.quotientAndRemainder(dividingBy: roles.count)
      let first = tensor.byteRange.lowerBound + part * bytes
      var own = StoredTensor(
        name: tensor.name, elementType: tensor.elementType, shape: [rows] + shape.dropFirst(2),
        byteRange: first..<first + bytes, file: tensor.file)
      if let make = tensor.makeRow { own.makeRow = { row, values in make(part * rows + row, &values) } }
      return (name(place, expert), own)
    }
  }

  private func name(_ place: Int, _ expert: Int) -> TensorName {
    TensorName(roles[place], layer: layer, expert: expert, isBias: isBias)
  }

  /// As above, of floats that lie apart.
  private func splitApart(
    _ tensor: StoredTensor, isTurned: Bool
  ) throws(ModelFileError) -> [(TensorName, StoredTensor)] {
    guard let type = tensor.knownType, type.blockLength == 1, tensor.makeRow == nil,
      let count = type.byteCount(ofShape: tensor.shape), count == tensor.byteRange.count
    else {
      throw ModelFileError(
        tensor.file.path, "unsupported: tensor '\(tensor.name)', whose experts' matrices are \(tensor.elementType)")
    }
    let (outputs, inputs) = isTurned ? (tensor.shape[2], tensor.shape[1]) : (tensor.shape[1], 1)
    let (rows, turns, size) = (outputs / roles.count, roles.count, type.blockByteCount)
    var found: [(TensorName, StoredTensor)] = []
    for expert in 0..<tensor.shape[0] {
      for place in 0..<turns {
        let start = tensor.byteRange.lowerBound + (expert * outputs * inputs + place) * size
        // A vector is one row; of a matrix, rows are columns of the file.
        let last = (rows - 1) * turns + (isTurned ? (inputs - 1) * outputs : 0)
        let shape = isTurned ? [rows, inputs] : [rows]
        guard
          let parts = MatrixParts(
            .floatsApart(type, rowStride: turns, columnStride: isTurned ? outputs : turns),
            rows: isTurned ? rows : 1, columns: isTurned ? inputs : rows,
            values: MatrixParts.Part(file: tensor.file, bytes: start..<start + (last + 1) * size),
            scales: MatrixParts.Part(file: tensor.file, bytes: start..<start))
        else { throw ModelFileError(tensor.file.path, "tensor '\(tensor.name)' does not lie within the file") }
        found.append((name(place, expert), StoredTensor(name: tensor.name, shape: shape, parts: parts)))
      }
    }
    return found
  }

  /// As above, of quantised matrices.
  ///
  /// - Parameter rows: those of an expert.
  private func split(
    _ tensor: StoredTensor, _ parts: MatrixParts, rows: Int
  ) throws(ModelFileError) -> [(TensorName, StoredTensor)] {
    var matrices: [(TensorName, StoredTensor)] = []
    let (own, step) = (rows / roles.count, layout == .inTurns ? roles.count : 1)
    for expert in 0..<tensor.shape[0] {
      for place in 0..<roles.count {
        let first = expert * rows + (step > 1 ? 0 : place * own)
        var part = parts.part(first..<first + (step > 1 ? rows : own))
        if step > 1 { part = part?.rows(from: place, step: step) }
        guard let part else {
          throw ModelFileError(
            tensor.file.path,
            "unsupported: tensor '\(tensor.name)', whose experts' matrices share scales with each other")
        }
        let shape = [own, parts.columns]
        matrices.append((name(place, expert), StoredTensor(name: tensor.name, shape: shape, parts: part)))
      }
    }
    return matrices
  }
}

extension Checkpoint {
  /// The same with a tensor for each expert's matrix, and the router under its usual name.
  ///
  /// - Throws: `ModelFileError` for tensors of experts that cannot be cut.
  func withExpertsApart(_ layout: StackedExperts.Layout) throws(ModelFileError) -> Checkpoint {
    try replacing { name, tensor throws(ModelFileError) in
      guard let experts = StackedExperts(huggingFace: name, layout) else { return nil }
      return try experts.split(tensor).map { (experts.huggingFace($0), $1) }
    }.renamed { $0.replacing(".mlp.router.", with: ".mlp.gate.") }
  }
}
