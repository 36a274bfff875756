internal import Foundation
internal import Tensor

/// A model directory as the Hugging Face hub has them: `config.json`, `generation_config.json`, `tokenizer.json`, and one
/// `model.safetensors`, or shards that `model.safetensors.index.json` names.
struct HuggingFaceDirectory: ModelContainer {
  let path: String

  var tokenizer: TokenizerSource { .files(directory: path) }
  var keys: [(name: String, value: String)]? { nil }

  func configuration() throws(ModelFileError) -> ModelConfiguration {
    try ModelConfiguration(describedBy: try description(ConfigurationFile.self), path: descriptionPath)
  }

  func head() throws(ModelFileError) -> Head? {
    guard let configuration = try HeadConfiguration(try description(HeadFile.self), path: descriptionPath) else {
      return nil
    }
    if isExpansion { return try HeadExpansion(describedIn: path, shape: configuration).head(in: path) }
    let head = try Head(path: path, configuration: configuration, checkpoint: try checkpoint().namedAsInModels())
    // Pickled: nothing here reads such files.
    let mask = path + "/mask_embedding.pt"
    guard head.hasMaskEmbedding || !JSONFile.exists(mask) else {
      throw ModelFileError(
        mask,
        "unsupported: a pickled embedding of the mask token; put it into model.safetensors as the tensor 'mask_embedding' of shape [\(configuration.layers.hiddenSize)] (docs/heads.md says how)"
      )
    }
    return head
  }

  func purpose() throws(ModelFileError) -> ModelPurpose {
    if let purpose = try ModelPurpose(directory: path) { return purpose }
    // Without what turns hidden states into logits there is nothing else to do with them.
    let name = try description(ConfigurationFile.self).architectures?.first
    return name?.hasSuffix("Model") == true ? .embedding(EmbeddingConfiguration()) : .generation
  }

  private var descriptionPath: String { path + "/config.json" }

  private func description<File: Decodable>(_ type: File.Type) throws(ModelFileError) -> File {
    guard JSONFile.exists(descriptionPath) else {
      throw ModelFileError(path, "has no config.json: not a model directory")
    }
    return try JSONFile.decode(type, at: descriptionPath)
  }

  func generation() throws(ModelFileError) -> GenerationConfiguration { try GenerationConfiguration(directory: path) }

  private var single: String { path + "/model.safetensors" }
  private var index: String { single + ".index.json" }

  /// Whether the weights are made of another model's.
  private var isExpansion: Bool {
    ![single, index].contains(where: JSONFile.exists)
      && JSONFile.exists(path + "/" + ExpansionDirectory.descriptionName)
  }

  func checkpoint() throws(ModelFileError) -> Checkpoint {
    // Where both are, the single file counts, as it does for `transformers`.
    if JSONFile.exists(single) {
      return try checkpoint(of: try Self.tensors(in: single))
    }
    guard JSONFile.exists(index) else {
      if isExpansion {
        return try ModelExpansion(describedIn: path, shape: configuration()).expandedCheckpoint(in: path)
      }
      throw ModelFileError(path, "has neither model.safetensors nor model.safetensors.index.json")
    }
    let map = try JSONFile.decode(ShardIndex.self, at: index).weight_map
    var tensors: [String: StoredTensor] = [:]
    for shard in Set(map.values).sorted() {
      guard !shard.contains("/"), !shard.contains("\\"), shard != "..", shard != "." else {
        throw ModelFileError(index, "names the shard '\(shard)'; expected a file name in the same directory")
      }
      let expected = Set(map.filter { $0.value == shard }.keys)
      let found = try Self.tensors(in: path + "/" + shard)
      for name in expected.sorted() where found[name] == nil {
        throw ModelFileError(path + "/" + shard, "lacks the tensor '\(name)' that \(index) places there")
      }
      tensors.merge(found.filter { expected.contains($0.key) }) { first, _ in first }
    }
    return try checkpoint(of: tensors)
  }

  /// - Parameter tensors: as the files have them, quantised matrices in parts.
  private func checkpoint(of tensors: [String: StoredTensor]) throws(ModelFileError) -> Checkpoint {
    struct Described: Decodable {
      let quantization_config: QuantizationFile?
      let architectures: [String]?
    }
    var whole = tensors
    let described = JSONFile.exists(descriptionPath) ? try description(Described.self) : nil
    if let file = described?.quantization_config {
      whole = try QuantizedTensors.joined(tensors, by: try StoredQuantization(file, path: descriptionPath))
    }
    let family = described?.architectures?.first.flatMap { ModelConfiguration.Architecture(named: $0) }
    return try Checkpoint(directory: path, tensors: whole).withModelPrefix()
      .withExpertsApart(family?.variations.interleavesExperts == true ? .inTurns : .oneBelowTheOther)
      .withInputsApart { () throws(ModelFileError) in try configuration() }
  }

  private static func tensors(in path: String) throws(ModelFileError) -> [String: StoredTensor] {
    var tensors: [String: StoredTensor] = [:]
    for tensor in try SafetensorsHeader(of: try MappedFile(modelFile: path)).tensors {
      guard tensors.updateValue(tensor, forKey: tensor.name) == nil else {
        throw ModelFileError(path, "the tensor '\(tensor.name)' stands twice in the header")
      }
    }
    return tensors
  }

  private struct ShardIndex: Decodable {
    let weight_map: [String: String]
  }
}

extension Checkpoint {
  /// The same under the names of models with an output matrix: those without one, as embedding models are often written,
  /// leave the beginning of every name out. Of models that see pictures too, the part that reads and writes text alone.
  fileprivate func withModelPrefix() throws(ModelFileError) -> Checkpoint {
    // As published, and as newer versions of `transformers` write them.
    for (prefix, canonical) in [("language_model.", ""), ("model.language_model.", "model.")]
    where tensorNames.contains(where: { $0.hasPrefix(prefix) }) {
      return try selected { name in
        if name.hasPrefix(prefix) { return canonical + name.dropFirst(prefix.count) }
        // The text part's own MTP layer stands beside it.
        return name == "lm_head.weight" || name.hasPrefix("mtp.") ? name : nil
      }
    }
    let own = ["embed_tokens.", "layers.", "norm."]
    guard shape(of: "embed_tokens.weight") != nil, shape(of: "model.embed_tokens.weight") == nil else { return self }
    return try renamed { name in own.contains(where: name.hasPrefix) ? "model." + name : name }
  }
}
