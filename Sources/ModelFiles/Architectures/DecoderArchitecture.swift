/// What sets a family of models apart: what its files call it, and where its tensors and its forward pass vary.
///
/// Each family is a file beside this one.
struct DecoderArchitecture: Sendable {
  enum Bias {
    case never, always
    /// Where the key of `config.json` says so.
    case configured

    func isPresent(_ key: Bool?) -> Bool { self == .always || self == .configured && key == true }
  }

  /// `general.architecture` in GGUF files.
  let ggufName: String
  /// Whether GGUF files have the two halves of a head's queries and keys in turns.
  var hasPairedHalvesInGGUF = false
  /// Channels of a head where `config.json` does not say; `nil` for hidden size / heads.
  var defaultHeadSize: Int?
  var hasQueryKeyNorm = false
  /// Whether layers have experts where `config.json` does not say otherwise.
  var hasExperts = false
  /// Whether norms follow attention and the feed-forward network too.
  var hasPostNorms = false
  /// Which layers have a window.
  var windows = AttentionWindows.Layout.never
  /// Of Gemma's families: what files leave unsaid.
  var gemma: Defaults?
  let queryKeyValueBias, attentionOutputBias, feedForwardBias: Bias

  /// The tensors of a layer.
  func layer(_ index: Int, of configuration: ModelConfiguration) -> DecoderLayer {
    DecoderLayer(
      mixer: .attention(AttentionTensors(layer: index, of: configuration)),
      feedForward: feedForward(index, of: configuration))
  }

  /// What each row of a layer goes through alone.
  func feedForward(_ index: Int, of configuration: ModelConfiguration) -> FeedForward {
    guard let experts = configuration.experts, experts.isSparse(index) else {
      return .gated(GatedTensors(layer: index, of: configuration))
    }
    return .experts(ExpertTensors(layer: index, experts, of: configuration))
  }
}

extension ModelConfiguration.Architecture {
  var variations: DecoderArchitecture {
    switch self {
    case .qwen3: .qwen3
    case .qwen3MoE: .qwen3MoE
    case .qwen2: .qwen2
    case .llama: .llama
    case .mistral: .mistral
    case .gemma2: .gemma2
    case .gemma3: .gemma3
    }
  }

  /// What `general.architecture` of GGUF files and `model_type` of others say: "qwen3".
  package var family: String { variations.ggufName }

  /// The architecture that GGUF files call `name`.
  init?(ggufName name: String) {
    guard let found = Self.allCases.first(where: { $0.variations.ggufName == name }) else { return nil }
    self = found
  }
}
