extension HeadConfiguration {
  /// - Returns: `nil` for a file that describes no head.
  init?(_ file: HeadFile, path: String) throws(ModelFileError) {
    switch try file.kind(path: path) {
    case nil: return nil
    case .eagle3: try self.init(eagle: file, path: path)
    case .dflash: try self.init(block: file, isDSpark: false, path: path)
    case .dspark: try self.init(block: file, isDSpark: true, path: path)
    }
    targetName = file.speculators_config?.verifier?.name_or_path
  }

  private init(eagle file: HeadFile, path: String) throws(ModelFileError) {
    let isNested = file.speculators_model_type != nil
    let (shape, architecture) = try file.layers(path: path)
    let layers = try ModelConfiguration(shape, as: architecture, path: path)
    let nested = file.eagle_config
    if nested?.use_aux_hidden_state == false {
      throw ModelFileError(path, "unsupported: use_aux_hidden_state false, a head of one stream that nothing joins")
    }
    // Nested ids are those of layers whose outputs are read, as SpecForge trains and SGLang reads them; ids at the top
    // level are those of layers whose inputs are read, as `speculators` trains and vLLM reads them.
    let ids = file.eagle_aux_hidden_state_layer_ids ?? nested?.eagle_aux_hidden_state_layer_ids?.map { $0 &+ 1 }
    if let ids {
      guard (1...64).contains(ids.count), ids.allSatisfy({ $0 >= 0 }) else {
        throw ModelFileError(path, "eagle_aux_hidden_state_layer_ids is \(ids); expected 1 to 64 numbers of layers")
      }
    }
    let (joined, each) = (nested?.norm_before_fc ?? file.norm_before_fc ?? false, file.fc_norm ?? false)
    guard !(joined && each) else {
      throw ModelFileError(path, "norm_before_fc and fc_norm are both true; expected one at most")
    }
    // Streams are joined in the order of the layers, whatever the order of the list.
    try self.init(.eagle3, file, layers, tappedLayers: ids.map { Set($0).sorted() }, path: path)
    streamNorm = joined ? .joined : each ? .each : .none
    // Files of `speculators` that do not say are old ones, which vLLM takes for true.
    normalisesResidual = file.norm_before_residual ?? isNested
    recyclesNormalised = file.norm_output ?? false
  }

  init(
    _ kind: Kind, _ file: HeadFile, _ layers: ModelConfiguration, tappedLayers: [Int]?, path: String
  ) throws(ModelFileError) {
    let bounds = SizeBounds(path: path)
    guard layers.windows.isEmpty else {
      throw ModelFileError(path, "unsupported: sliding-window attention in a head of the kind \(kind.rawValue)")
    }
    (self.kind, self.layers, self.tappedLayers) = (kind, layers, tappedLayers)
    targetHiddenSize = try bounds.check(
      "target_hidden_size", file.target_hidden_size ?? layers.hiddenSize, in: 1...65_536)
    vocabularySize = try bounds.check(
      "draft_vocab_size", file.draft_vocab_size ?? layers.vocabularySize, in: 1...layers.vocabularySize)
  }
}
