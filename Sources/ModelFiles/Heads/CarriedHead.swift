extension ModelContainer {
  /// The head that the model carries: a layer that predicts the token after the next ("multi-token prediction"); `nil`
  /// where it has none.
  ///
  /// - Throws: `ModelFileError` that names what of it is missing or unsupported.
  package func carriedHead() throws(ModelFileError) -> Head? {
    let (trunk, all) = (try configuration(), try checkpoint())
    guard let names = MTPNames.all(in: trunk).first(where: { $0.isIn(all) }) else { return nil }
    if let second = all.tensorNames.first(where: { $0.hasPrefix(names.secondLayer) }) {
      throw ModelFileError(path, "unsupported: the tensor '\(second)', of an MTP head of several layers; only one")
    }
    guard trunk.windows.isEmpty else {
      throw ModelFileError(path, "unsupported: an MTP head in a model whose layers have windows")
    }
    let own = try all.selected(names.canonical)
    // Its layer need not have experts where the model's have.
    let hasExperts = own.shape(of: TensorName(.router, layer: 0).huggingFace) != nil
    var configuration = HeadConfiguration(carriedBy: trunk, hasExperts: hasExperts)
    configuration.putsHiddenFirst = names.putsHiddenFirst
    configuration.recyclesNormalised = names.recyclesNormalised
    return try Head(path: path, configuration: configuration, checkpoint: own, named: names.original)
  }
}

extension HeadConfiguration {
  /// The shape of the MTP layer that a model of the shape of `trunk` carries.
  ///
  /// - Parameter hasExperts: whether it has experts where the model's layers have.
  package init(carriedBy trunk: ModelConfiguration, hasExperts: Bool = true) {
    var layers = trunk
    // Of attention, whatever the model's own layers are.
    (layers.layerCount, layers.recurrence) = (1, nil)
    layers.experts = hasExperts ? trunk.experts?.everywhere : nil
    self.init(
      kind: .mtp, layers: layers, targetHiddenSize: trunk.hiddenSize, vocabularySize: trunk.vocabularySize,
      tappedLayers: [trunk.layerCount])
  }
}

/// The names that a family of models gives to the parts of an MTP layer.
///
/// Sources: vLLM's `qwen3_next_mtp`, `deepseek_mtp` and `mimo_mtp`; llama.cpp's `nextn` tensors, which are DeepSeek's.
struct MTPNames {
  /// What tensors are called in the checkpoint, and in a head's, by their beginnings.
  private let beginnings: [(own: String, canonical: String)]
  /// How tensors of a second layer would begin.
  let secondLayer: String
  /// Whether the hidden state stands before the embedding.
  let putsHiddenFirst: Bool
  /// Whether it goes on from its output after the last norm.
  let recyclesNormalised: Bool

  /// Those of all families, for a model of the shape of `trunk`.
  static func all(in trunk: ModelConfiguration) -> [MTPNames] {
    // GGUF files have Qwen's layer under DeepSeek's names.
    [.qwen, .deepSeek(layer: trunk.layerCount, recyclesNormalised: trunk.recurrence != nil), .miMo]
  }

  /// Qwen3-Next and Qwen3.5.
  private static let qwen = MTPNames(
    beginnings: [
      ("mtp.layers.", "model.layers."), ("mtp.norm.", "model.norm."), ("mtp.embed_tokens.", "model.embed_tokens."),
      ("mtp.", ""),
    ], secondLayer: "mtp.layers.1.", putsHiddenFirst: false, recyclesNormalised: true)

  /// DeepSeek and GLM: a layer after the last.
  private static func deepSeek(layer: Int, recyclesNormalised: Bool) -> MTPNames {
    let prefix = "model.layers.\(layer)."
    return MTPNames(
      beginnings: [
        (prefix + "enorm.", "pre_fc_norm_embedding."), (prefix + "hnorm.", "pre_fc_norm_hidden."),
        (prefix + "eh_proj.", "fc."), (prefix + "shared_head.norm.", "model.norm."),
        (prefix + "shared_head.head.", "lm_head."), (prefix + "embed_tokens.", "model.embed_tokens."),
        (prefix, "model.layers.0."),
      ], secondLayer: "model.layers.\(layer + 1).", putsHiddenFirst: false,
      recyclesNormalised: recyclesNormalised)
  }

  private static let miMo = MTPNames(
    beginnings: [
      ("model.mtp_layers.0.token_layernorm.", "pre_fc_norm_embedding."),
      ("model.mtp_layers.0.hidden_layernorm.", "pre_fc_norm_hidden."), ("model.mtp_layers.0.input_proj.", "fc."),
      ("model.mtp_layers.0.final_layernorm.", "model.norm."), ("model.mtp_layers.0.", "model.layers.0."),
    ], secondLayer: "model.mtp_layers.1.", putsHiddenFirst: true, recyclesNormalised: true)

  /// Whether the checkpoint has tensors of these names that no other layer has.
  func isIn(_ checkpoint: Checkpoint) -> Bool {
    checkpoint.tensorNames.contains { canonical($0)?.hasPrefix("model.layers.") == false }
  }

  /// What a head calls a tensor of the checkpoint; `nil` for one that is not the layer's.
  func canonical(_ name: String) -> String? {
    beginnings.first { name.hasPrefix($0.own) }.map { $0.canonical + name.dropFirst($0.own.count) }
  }

  /// What the checkpoint calls a tensor of a head.
  func original(_ name: String) -> String {
    beginnings.first { name.hasPrefix($0.canonical) }.map { $0.own + name.dropFirst($0.canonical.count) } ?? name
  }
}
