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
  /// What GGUF files of the family call a layer's tensors other than most, and what most call them.
  var ggufAliases: [String: String] = [:]
  /// Whether GGUF files have the two halves of a head's queries and keys in turns.
  var hasPairedHalvesInGGUF = false
  /// Channels of a head where `config.json` does not say; `nil` for hidden size / heads.
  var defaultHeadSize: Int?
  var hasQueryKeyNorm = false
  /// Whether layers have experts where `config.json` does not say otherwise.
  var hasExperts = false
  /// Whether the router and the experts have biases, and the experts the width that others have of their networks.
  var hasExpertBiases = false
  /// Whether Hugging Face's checkpoints have rows of experts' gate and up projections in turns, and matrices that are not
  /// quantised the other way round.
  var interleavesExperts = false
  /// Whether gates and up projections have a limit.
  var clampsGates = false
  /// Whether attention has sinks.
  var hasSinks = false
  /// `rope_theta` where `config.json` does not say.
  var usualRotaryBase = RotaryConfiguration.usualBase
  /// Whether YaRN's ramp begins and ends at whole channels, of files that do not say.
  var truncatesRamp = true
  /// Whether all rows go through one expert more.
  var hasSharedExpert = false
  /// Whether the shares of chosen experts add up to one where `config.json` does not say.
  var normalizesExpertWeights = false
  /// Whether norms follow attention and the feed-forward network too.
  var hasPostNorms = false
  /// Which layers have a window.
  var windows = AttentionWindows.Layout.never
  /// Of Gemma's families: what files leave unsaid.
  var gemma: Defaults?
  /// Whether each query head brings a gate, through which what it finds goes.
  var hasAttentionGates = false
  /// Whether Hugging Face's checkpoints have of the weights of norms what they are above one; GGUF files have them whole.
  var addsOneToNorms = false
  /// Share of a head's channels that is rotated where `config.json` does not say; `nil` where heads are rotated in full.
  var rotatedShare: Double?
  /// Whether layers are gated delta nets, but for some that are attention.
  var hasRecurrentLayers = false
  /// Whether value heads of recurrent layers read key heads in turns as GGUF files have them, and not those of a key head
  /// side by side.
  var readsKeyHeadsInTurnsInGGUF = false
  let queryKeyValueBias, attentionOutputBias, feedForwardBias: Bias

  /// Whether a model may have tensors of a role.
  func has(_ role: TensorRole) -> Bool {
    !role.isHeads && (hasRecurrentLayers || !role.isOfRecurrence) && (hasSharedExpert || !role.isOfSharedExpert)
      && (hasSinks || role != .sinks)
  }

  /// The tensors of a layer.
  func layer(_ index: Int, of configuration: ModelConfiguration) -> DecoderLayer {
    let mixer: Mixer =
      if let recurrence = configuration.recurrence, recurrence.isRecurrent[index] {
        .deltaNet(DeltaNetTensors(layer: index, of: configuration, recurrence))
      } else {
        .attention(AttentionTensors(layer: index, of: configuration))
      }
    return DecoderLayer(mixer: mixer, feedForward: feedForward(index, of: configuration))
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
    case .gptOss: .gptOss
    case .qwen35: .qwen35
    case .qwen35MoE: .qwen35MoE
    case .qwen3Next: .qwen3Next
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
