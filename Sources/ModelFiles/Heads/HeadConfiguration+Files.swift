extension HeadConfiguration {
  /// - Returns: `nil` for a file that describes no head.
  init?(_ file: HeadFile, path: String) throws(ModelFileError) {
    switch try file.kind(path: path) {
    case nil: return nil
    case .eagle3: try self.init(eagle: file, path: path)
    case .dflash: try self.init(block: file, path: path)
    case .mtp: return nil
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

  /// A DFlash head. Its layers are Qwen3's, whatever the target's are.
  private init(block file: HeadFile, path: String) throws(ModelFileError) {
    let isNested = file.speculators_model_type != nil
    var (shape, _) = try file.layers(as: .qwen3, path: path)
    let windows = try Self.windows(&shape, isNested: isNested, path: path)
    let layers = try ModelConfiguration(shape, as: .qwen3, path: path)
    let ids = try Self.tappedLayers(file, isNested: isNested, layers: layers, path: path)
    guard (1...64).contains(ids.count), ids[0] >= 0, zip(ids, ids.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw ModelFileError(
        path, "reads the streams that enter layers \(ids); expected 1 to 64 numbers, each above the one before")
    }
    if file.dflash_config?.causal == true {
      throw ModelFileError(path, "unsupported: causal true, a block whose rows see only what stands before them")
    }
    try self.init(.dflash, file, layers, tappedLayers: ids, path: path)
    targetLayerCount = file.num_target_layers
    let bounds = SizeBounds(path: path)
    let size = file.block_size ?? file.dflash_config?.block_size ?? (isNested ? 8 : nil)
    let mask = try bounds.check(
      "mask_token_id", file.dflash_config?.mask_token_id ?? file.mask_token_id, in: 0...layers.vocabularySize - 1)
    block = HeadBlock(
      size: try bounds.check("block_size", size, in: 2...256), maskToken: Int32(mask),
      predictsNext: file.sample_from_anchor ?? false,
      windows: windows ?? Array(repeating: nil, count: layers.layerCount),
      isCausalInWindows: file.sliding_window_non_causal != true)
  }

  private init(
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

  /// The layers that the streams enter. Flat files name those whose outputs are read; where they name none, z-lab's model
  /// spreads as many as the head has layers evenly over the target's.
  private static func tappedLayers(
    _ file: HeadFile, isNested: Bool, layers: ModelConfiguration, path: String
  ) throws(ModelFileError) -> [Int] {
    if isNested {
      guard let ids = file.aux_hidden_state_layer_ids else {
        throw ModelFileError(path, "lacks the key 'aux_hidden_state_layer_ids'")
      }
      return ids
    }
    if let ids = file.dflash_config?.target_layer_ids { return ids.map { $0 &+ 1 } }
    guard file.num_target_layers != nil else {
      throw ModelFileError(path, "lacks the keys 'target_layer_ids' (in dflash_config) and 'num_target_layers'")
    }
    let count = try SizeBounds(path: path).check("num_target_layers", file.num_target_layers, in: 4...1024)
    guard layers.layerCount > 1 else { return [count / 2 + 1] }
    let step = Double(count - 4) / Double(layers.layerCount - 1)
    return (0..<layers.layerCount).map { Int((1 + Double($0) * step).rounded(.toNearestOrEven)) + 1 }
  }

  /// By layer the window of attention, taken out of `shape`; `nil` where all layers see everything.
  private static func windows(
    _ shape: inout ConfigurationFile, isNested: Bool, path: String
  ) throws(ModelFileError) -> [Int?]? {
    guard let kinds = shape.layer_types, kinds.contains(AttentionWindows.slidingAttention) else { return nil }
    guard isNested else {
      throw ModelFileError(
        path,
        "unsupported: layers of type \(AttentionWindows.slidingAttention) in a DFlashDraftModel, which its readers understand in different ways; a head in the format of speculators says what is meant"
      )
    }
    let size = try SizeBounds(path: path).check("sliding_window", shape.sliding_window.value, in: 1...16_777_216)
    guard kinds.count == shape.num_hidden_layers else {
      throw ModelFileError(
        path, "layer_types has \(kinds.count) entries for num_hidden_layers \(shape.num_hidden_layers ?? 0)")
    }
    shape.layer_types = kinds.map { $0 == AttentionWindows.slidingAttention ? AttentionWindows.fullAttention : $0 }
    shape.use_sliding_window = false
    return kinds.map { $0 == AttentionWindows.slidingAttention ? size : nil }
  }
}
