internal import Tensor

extension GGUFFile: ModelContainer {
  package var tokenizer: TokenizerSource { .keys(metadata) }

  package var keys: [(name: String, value: String)]? {
    metadata.keys.map { ($0, metadata[$0]?.description ?? "") }
  }

  package func configuration() throws(ModelFileError) -> ModelConfiguration { try ModelConfiguration(self) }

  package func generation() throws(ModelFileError) -> GenerationConfiguration { try GenerationConfiguration(self) }

  /// Its tensors under the names that Hugging Face's checkpoints have.
  package func checkpoint() throws(ModelFileError) -> Checkpoint {
    let configuration = try configuration()
    let hasPairedHalves = configuration.architecture.variations.hasPairedHalvesInGGUF
    var places: [String: StoredTensor] = [:]
    for var tensor in tensors {
      // Names that are none were refused with the configuration, which holds what the rotary factors say.
      guard let name = TensorName(gguf: tensor.name) else { continue }
      if hasPairedHalves, name.role == .query || name.role == .key {
        tensor.rowOrder = .pairedHalves(headSize: configuration.headSize)
      }
      places[name.huggingFace] = tensor
    }
    return Checkpoint(directory: path, tensors: places)
  }
}
