internal import Tensor

extension GGUFFile: ModelContainer {
  package var tokenizer: TokenizerSource { .keys(metadata) }

  package var keys: [(name: String, value: String)]? {
    metadata.keys.map { ($0, metadata[$0]?.description ?? "") }
  }

  package func configuration() throws(ModelFileError) -> ModelConfiguration { try ModelConfiguration(self) }

  package func generation() throws(ModelFileError) -> GenerationConfiguration { try GenerationConfiguration(self) }

  /// Its tensors under the names that Hugging Face's checkpoints have.
  package func checkpoint() throws(ModelFileError) -> Checkpoint { try checkpoint(of: try configuration()) }

  /// What `general.architecture` says.
  var family: String {
    get throws(ModelFileError) { try metadata.string("general.architecture") ?? "none named" }
  }

  package func head() throws(ModelFileError) -> Head? {
    guard try family == HeadConfiguration.ggufName else { return nil }
    let configuration = try HeadConfiguration(self)
    return try Head(
      path: path, configuration: configuration, checkpoint: try checkpoint(of: configuration.layers), absoluteMap: true)
  }

  /// `{architecture}.pooling_type`, as llama.cpp has it.
  package func purpose() throws(ModelFileError) -> ModelPurpose {
    let key = "\(try family).pooling_type"
    switch try metadata.integer(key, in: 0...255) {
    case nil, 0: return .generation
    case 1: return .embedding(EmbeddingConfiguration(pooling: .mean))
    case 3: return .embedding(EmbeddingConfiguration(pooling: .lastToken))
    case 4: return .reranking
    case .some(let kind):
      throw ModelFileError(path, "unsupported: \(key) \(kind); expected 1 (mean), 3 (last token) or 4 (rank)")
    }
  }

  /// What DeepSeek's checkpoints call the tensor of an MTP layer that files call `name`; `nil` for other tensors.
  static func carriedTensor(_ name: String) -> String? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 5, parts[0] == "blk", parts[2] == "nextn", parts[4] == "weight", let layer = Int(parts[1]),
      "\(layer)" == parts[1], let own = carriedNames[String(parts[3])]
    else { return nil }
    return "model.layers.\(layer).\(own).weight"
  }

  private static let carriedNames = [
    "eh_proj": "eh_proj", "enorm": "enorm", "hnorm": "hnorm", "embed_tokens": "embed_tokens",
    "shared_head_norm": "shared_head.norm", "shared_head_head": "shared_head.head",
  ]

  private func checkpoint(of configuration: ModelConfiguration) throws(ModelFileError) -> Checkpoint {
    let variations = configuration.architecture.variations
    var places: [String: StoredTensor] = [:]
    for var tensor in tensors {
      // Names that are none were refused with the configuration, which holds what the rotary factors say; of heads they
      // are those of its other tensors.
      if let name = Self.carriedTensor(tensor.name) {
        places[name] = tensor
        continue
      }
      if let experts = StackedExperts(gguf: tensor.name, hasBiases: variations.hasExpertBiases) {
        for (name, expert) in try experts.split(tensor) { places[name.huggingFace] = expert }
        continue
      }
      if let inputs = JoinedInputs(gguf: tensor.name), let shape = configuration.recurrence?.shape {
        for (name, part) in try inputs.split(tensor, by: shape) { places[name.huggingFace] = part }
        continue
      }
      let known = TensorName(gguf: tensor.name, aliases: variations.ggufAliases)
      guard let name = known?.among(postNorms: configuration.hasPostNorms) else {
        if tensor.name != Self.rotaryFactors { places[tensor.name] = tensor }
        continue
      }
      // As checkpoints have the kernels of a convolution by channel.
      if name.role == .convolution, tensor.isMatrix { tensor.shape.insert(1, at: 1) }
      // As checkpoints have it, a matrix of one row.
      if name.role == .sharedShare, tensor.shape.count == 1 { tensor.shape.insert(1, at: 0) }
      if variations.hasPairedHalvesInGGUF, name.role == .query || name.role == .key {
        tensor.rowOrder = .pairedHalves(headSize: configuration.headSize)
      }
      places[name.huggingFace] = tensor
    }
    return Checkpoint(directory: path, tensors: places)
  }
}
