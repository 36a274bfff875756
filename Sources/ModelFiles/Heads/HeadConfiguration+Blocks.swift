internal import Tensor

extension HeadConfiguration {
  /// A DFlash or a DSpark head. Its layers are Qwen3's, whatever the target's are.
  ///
  /// Sources: z-lab's and DeepSpec's model files and vLLM's `qwen3_dflash` and `qwen3_dspark` (flat), `speculators` 0.9
  /// (nested).
  init(block file: HeadFile, isDSpark: Bool, path: String) throws(ModelFileError) {
    let isNested = file.speculators_model_type != nil
    if let demand = file.otherArithmetic {
      throw ModelFileError(path, "unsupported: \(demand) in a head that proposes blocks")
    }
    var (shape, _) = try file.layers(as: .qwen3, path: path)
    let said = (kinds: shape.layer_types, usesWindows: shape.use_sliding_window, isCausal: shape.is_causal)
    shape.layer_types = said.kinds?.map { kind in
      kind == AttentionWindows.slidingAttention ? AttentionWindows.fullAttention : kind
    }
    if !isNested { shape.is_causal = nil }
    if !isNested || said.kinds != nil { shape.use_sliding_window = false }
    let layers = try ModelConfiguration(shape, as: .qwen3, path: path)
    let ids = try Self.tappedLayers(file, isNested: isNested, layers: layers, path: path)
    guard (1...64).contains(ids.count), ids[0] >= 0, zip(ids, ids.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw ModelFileError(
        path, "reads the streams that enter layers \(ids); expected 1 to 64 numbers, each above the one before")
    }
    try self.init(.dflash, file, layers, tappedLayers: ids, path: path)
    targetLayerCount = file.num_target_layers
    let (bounds, inner) = (SizeBounds(path: path), file.dflash_config)
    let mask = try bounds.check(
      "mask_token_id", inner?.mask_token_id ?? file.mask_token_id, in: 0...layers.vocabularySize - 1)
    if let kinds = said.kinds, kinds.count != layers.layerCount {
      throw ModelFileError(path, "layer_types has \(kinds.count) entries for num_hidden_layers \(layers.layerCount)")
    }
    let sights: [AttentionSight]
    if isNested {
      let size = try Self.window(of: shape, if: said.kinds?.contains(AttentionWindows.slidingAttention), path: path)
      sights = (0..<layers.layerCount).map { layer in
        let window = said.kinds?[layer] == AttentionWindows.slidingAttention ? size : nil
        return .block(window: window, isCausal: window != nil && file.sliding_window_non_causal != true)
      }
    } else {
      let windows = try Self.windows(file, shape, said.kinds, said.usesWindows, layers.layerCount, path: path)
      sights = windows.map { Self.sight(window: $0.size, isCausal: said.isCausal ?? inner?.causal ?? $0.isCausal) }
    }
    block = HeadBlock(
      size: try bounds.check("block_size", file.block_size ?? inner?.block_size ?? (isNested ? 8 : nil), in: 2...256),
      maskToken: Int32(mask), predictsNext: file.sample_from_anchor ?? isDSpark, sights: sights,
      correction: isDSpark ? try Self.correction(file, isNested: isNested, path: path) : nil)
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
    if let ids = file.dflash_config?.target_layer_ids ?? file.target_layer_ids { return ids.map { $0 &+ 1 } }
    guard file.num_target_layers != nil else {
      throw ModelFileError(path, "lacks the keys 'target_layer_ids' (in dflash_config) and 'num_target_layers'")
    }
    let count = try SizeBounds(path: path).check("num_target_layers", file.num_target_layers, in: 4...1024)
    guard layers.layerCount > 1 else { return [count / 2 + 1] }
    let step = Double(count - 4) / Double(layers.layerCount - 1)
    return (0..<layers.layerCount).map { Int((1 + Double($0) * step).rounded(.toNearestOrEven)) + 1 }
  }

  // MARK: What rows see

  /// In flat files windows are counted from the row.
  private static func sight(window: Int?, isCausal: Bool) -> AttentionSight {
    switch (window, isCausal) {
    case (nil, false): .block()
    case (let window?, false): .near(window: window)
    case (let window, true): .causal(window: window)
    }
  }

  /// By layer the window of a flat file, and whether its rows see nothing after themselves where the file does not say it of
  /// all layers: those of sliding layers do not, those of `use_swa` do.
  ///
  /// - Parameters:
  ///   - kinds: `layer_types`, one for each layer.
  ///   - usesWindows: `use_sliding_window`, without which `transformers` forgets about the window.
  private static func windows(
    _ file: HeadFile, _ shape: ConfigurationFile, _ kinds: [String]?, _ usesWindows: Bool?, _ layerCount: Int,
    path: String
  ) throws(ModelFileError) -> [(size: Int?, isCausal: Bool)] {
    let (inner, listed) = (file.dflash_config, kinds?.contains(AttentionWindows.slidingAttention) == true)
    let everywhere = inner?.use_swa == true && !listed
    let first = kinds == nil && usesWindows == true ? max(0, shape.max_window_layers ?? 28) : layerCount
    if listed, usesWindows != true, inner?.swa_window_size == nil {
      throw ModelFileError(
        path, "unsupported: layers of type \(AttentionWindows.slidingAttention) without use_sliding_window")
    }
    let needsSize = everywhere || listed || first < layerCount
    let size: Int?
    if let own = inner?.swa_window_size, needsSize {
      size = try SizeBounds(path: path).check("swa_window_size", own, in: 1...16_777_216)
    } else {
      size = try window(of: shape, if: needsSize, path: path)
    }
    return (0..<layerCount).map { layer in
      let slides = kinds?[layer] == AttentionWindows.slidingAttention || layer >= first
      return (everywhere || slides ? size : nil, slides)
    }
  }

  /// `sliding_window`, where there is a layer that needs it.
  private static func window(
    of shape: ConfigurationFile, if isNeeded: Bool?, path: String
  ) throws(ModelFileError) -> Int? {
    guard isNeeded == true else { return nil }
    return try SizeBounds(path: path).check("sliding_window", shape.sliding_window.value, in: 1...16_777_216)
  }

  // MARK: DSpark

  private static func correction(
    _ file: HeadFile, isNested: Bool, path: String
  ) throws(ModelFileError) -> HeadCorrection {
    let inner = file.dflash_config
    let kind = file.markov_head_type ?? inner?.markov_head_type ?? "vanilla"
    guard kind == "vanilla" else {
      throw ModelFileError(
        path, "unsupported: markov_head_type '\(kind)'; only 'vanilla', where the token before a proposal decides alone"
      )
    }
    if inner?.shift_label == false {
      throw ModelFileError(path, "unsupported: shift_label false, a head whose masks propose what they stand for")
    }
    let rank = try SizeBounds(path: path).check(
      "markov_rank", file.markov_rank ?? inner?.markov_rank ?? (isNested ? 256 : nil), in: 0...65_536)
    let readsToken =
      file.confidence_head_with_markov ?? inner?.confidence_head_with_markov ?? isNested
    return HeadCorrection(rank: rank, confidenceReadsToken: readsToken && rank > 0)
  }
}
