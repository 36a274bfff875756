/// The mixture of experts that takes the place of a layer's feed-forward network: a router chooses a few of many small
/// networks for every row.
public struct ExpertConfiguration: Sendable, Equatable {
  /// Experts of a layer.
  public let count: Int
  /// Experts that a row goes through.
  public let chosenCount: Int
  /// Width of an expert.
  public let intermediateSize: Int
  /// Width of an expert that all rows go through too, whose share is its own; `nil` where there is none.
  public let sharedSize: Int?
  /// Whether the chosen experts' weights add up to one (`norm_topk_prob`), and not those of all experts.
  public let normalizesWeights: Bool
  /// Whether the router and the experts' matrices have biases.
  public let hasBiases: Bool
  /// Layers that have one feed-forward network all the same, ascending.
  public private(set) var denseLayers: [Int]

  static let mostExperts = 1024

  /// Whether layer `index` has experts.
  package func isSparse(_ index: Int) -> Bool { !denseLayers.contains(index) }

  /// What files that have no other width say of feed-forward networks: that of an expert; `nil` where some layers have a
  /// network without experts.
  var onlySize: Int? { denseLayers.isEmpty ? sharedSize ?? intermediateSize : nil }

  /// The same in every layer.
  var everywhere: ExpertConfiguration {
    var other = self
    other.denseLayers = []
    return other
  }

  /// What `config.json` says of a model with `layerCount` layers.
  ///
  /// - Throws: `ModelFileError` that names what is missing or out of range.
  init(
    _ file: ConfigurationFile, as variations: DecoderArchitecture, layerCount: Int, path: String
  ) throws(ModelFileError) {
    let bounds = SizeBounds(path: path)
    hasBiases = variations.hasExpertBiases
    // Newer writers give it another name.
    count = try bounds.check("num_experts", file.num_experts ?? file.num_local_experts, in: 1...Self.mostExperts)
    chosenCount = try bounds.check(
      "num_experts_per_tok", file.num_experts_per_tok ?? file.experts_per_token, in: 1...count)
    if variations.hasExpertBiases {
      intermediateSize = try bounds.check("intermediate_size", file.intermediate_size, in: 1...1_048_576)
      (sharedSize, normalizesWeights, denseLayers) = (nil, true, [])
      return
    }
    intermediateSize = try bounds.check("moe_intermediate_size", file.moe_intermediate_size, in: 1...1_048_576)
    sharedSize =
      variations.hasSharedExpert
      ? try bounds.check(
        "shared_expert_intermediate_size", file.shared_expert_intermediate_size, in: 1...1_048_576) : nil
    normalizesWeights = file.norm_topk_prob ?? variations.normalizesExpertWeights
    let step = try bounds.check("decoder_sparse_step", file.decoder_sparse_step ?? 1, in: 1...1024)
    let dense = Set(file.mlp_only_layers ?? [])
    if let odd = dense.first(where: { !(0..<layerCount).contains($0) }) {
      throw ModelFileError(path, "mlp_only_layers has \(odd); expected 0 to \(layerCount - 1)")
    }
    denseLayers = (0..<layerCount).filter { dense.contains($0) || ($0 + 1) % step != 0 }
  }

  /// What a GGUF file says; its tensors say which layers have experts.
  ///
  /// - Parameter family: what stands before the names of keys.
  init(
    _ file: GGUFFile, family: String, as variations: DecoderArchitecture, layerCount: Int
  ) throws(ModelFileError) {
    let (metadata, path) = (file.metadata, file.path)
    hasBiases = variations.hasExpertBiases
    let shared = variations.hasSharedExpert ? [] : ["expert_shared_count"]
    for key in shared + ["expert_weights_scale", "expert_group_count"] {
      guard let value = metadata["\(family).\(key)"], value.number != 0 else { continue }
      throw ModelFileError(path, "unsupported: \(family).\(key), which is \(value)")
    }
    // 1 is the softmax, 3 that over the chosen experts alone.
    if let gating = try metadata.integer("\(family).expert_gating_func", in: 0...255), gating > 1,
      !(gating == 3 && variations.hasExpertBiases)
    {
      throw ModelFileError(path, "unsupported: \(family).expert_gating_func \(gating); only 1 (softmax)")
    }
    count = try metadata.required("\(family).expert_count", in: 1...Self.mostExperts)
    chosenCount = try metadata.required("\(family).expert_used_count", in: 1...count)
    intermediateSize = try metadata.required("\(family).expert_feed_forward_length", in: 1...1_048_576)
    if variations.hasSharedExpert {
      _ = try metadata.integer("\(family).expert_shared_count", in: 1...1)
      sharedSize = try metadata.required("\(family).expert_shared_feed_forward_length", in: 1...1_048_576)
    } else {
      sharedSize = nil
    }
    // Such files leave it out: whoever reads them normalises.
    normalizesWeights = try metadata.boolean("\(family).expert_weights_norm") ?? true
    denseLayers = (0..<layerCount).filter { file[TensorName(.router, layer: $0).gguf] == nil }
  }
}
