/// What an EAGLE-3 head is made of, from its `config.json`.
///
/// A head is one layer, or a few, that was trained on one target: it goes on from residual streams of the target instead of
/// reading tokens by itself. Its layers' tokens and streams come in pairs: the stream of a position and the token after it.
///
/// Sources: Li et al., "EAGLE-3" (2025); the formats that SpecForge (flat) and `speculators` 0.9 (nested) write.
public struct HeadConfiguration: Sendable, Equatable {
  /// Where streams are normalised before they are joined.
  public enum StreamNorm: Sendable, Equatable {
    case none
    /// All of them as one vector (`norm_before_fc`).
    case joined
    /// Each by itself (`fc_norm`).
    case each
  }

  /// Shape of the layers; `vocabularySize` is the target's.
  public let layers: ModelConfiguration
  /// Width of the target's residual stream.
  public let targetHiddenSize: Int
  /// Tokens that it can propose (`draft_vocab_size`).
  public let vocabularySize: Int
  /// Layers of the target whose streams it reads, as they enter the layer; `nil` for the usual three.
  public let tappedLayers: [Int]?
  /// Where streams are normalised.
  public let streamNorm: StreamNorm
  /// Whether the first layer adds to the normalised stream, and not to the stream as it is (`norm_before_residual`).
  public let normalisesResidual: Bool
  /// Whether it goes on from its normalised output (`norm_output`, "EAGLE 3.1").
  public let recyclesNormalised: Bool
  /// The target that the file names, if it does.
  public let targetName: String?

  /// Number of streams.
  package var streamCount: Int { tappedLayers?.count ?? 3 }

  /// Layers of a target of `layerCount` whose streams are read.
  package func taps(layerCount: Int) -> [Int] { tappedLayers ?? [2, layerCount / 2, layerCount - 3] }

  /// - Returns: `nil` for a file that describes no head.
  init?(_ file: HeadFile, path: String) throws(ModelFileError) {
    let isNested = file.speculators_model_type != nil
    if let kind = file.speculators_model_type, kind != "eagle3" {
      throw ModelFileError(path, "unsupported: a head of the kind '\(kind)' (speculators_model_type); only eagle3")
    }
    guard isNested || file.architectures?.contains(where: Self.flatArchitectures.contains) == true else { return nil }
    var shape = file.shape
    if isNested {
      guard let nested = file.transformer_layer_config else {
        throw ModelFileError(path, "lacks the key 'transformer_layer_config'")
      }
      shape = nested
    }
    let family = shape.model_type ?? (isNested ? "qwen3" : "llama")
    guard let architecture = Self.families[family] else {
      throw ModelFileError(
        path,
        "unsupported: layers of model_type '\(family)'; supported are \(Self.families.keys.sorted().joined(separator: ", "))"
      )
    }
    if isNested { shape.configuration.fillIn(Self.defaults(architecture)) }
    layers = try ModelConfiguration(shape.configuration, as: architecture, path: path)
    let (nested, bounds) = (file.eagle_config, SizeBounds(path: path))
    if nested?.use_aux_hidden_state == false {
      throw ModelFileError(path, "unsupported: use_aux_hidden_state false, a head of one stream that nothing joins")
    }
    targetHiddenSize = try bounds.check(
      "target_hidden_size", file.target_hidden_size ?? layers.hiddenSize, in: 1...65_536)
    vocabularySize = try bounds.check(
      "draft_vocab_size", file.draft_vocab_size ?? layers.vocabularySize, in: 1...layers.vocabularySize)
    // Nested ids are those of layers whose outputs are read, as SpecForge trains and SGLang reads them; ids at the top
    // level are those of layers whose inputs are read, as `speculators` trains and vLLM reads them.
    let ids = file.eagle_aux_hidden_state_layer_ids ?? nested?.eagle_aux_hidden_state_layer_ids?.map { $0 &+ 1 }
    if let ids {
      guard (1...64).contains(ids.count), ids.allSatisfy({ $0 >= 0 }) else {
        throw ModelFileError(path, "eagle_aux_hidden_state_layer_ids is \(ids); expected 1 to 64 numbers of layers")
      }
    }
    // Streams are joined in the order of the layers, whatever the order of the list.
    tappedLayers = ids.map { Set($0).sorted() }
    let (joined, each) = (nested?.norm_before_fc ?? file.norm_before_fc ?? false, file.fc_norm ?? false)
    guard !(joined && each) else {
      throw ModelFileError(path, "norm_before_fc and fc_norm are both true; expected one at most")
    }
    streamNorm = joined ? .joined : each ? .each : .none
    // Files of `speculators` that do not say are old ones, which vLLM takes for true.
    normalisesResidual = file.norm_before_residual ?? isNested
    recyclesNormalised = file.norm_output ?? false
    targetName = file.speculators_config?.verifier?.name_or_path
  }

  private static let flatArchitectures: Set = ["LlamaForCausalLMEagle3", "Eagle3LlamaForCausalLM"]
  private static let families: [String: ModelConfiguration.Architecture] = ["llama": .llama, "qwen3": .qwen3]

  /// What `transformers` takes where a nested file, which has only what differs, is silent.
  private static func defaults(_ architecture: ModelConfiguration.Architecture) -> ConfigurationFile.Defaults {
    architecture == .qwen3
      ? (hidden: 4096, heads: 32, intermediate: 22_016, positions: 32_768)
      : (hidden: 4096, heads: 32, intermediate: 11_008, positions: 2048)
  }
}

/// A head's `config.json` as written, flat or nested.
struct HeadFile: Decodable {
  let architectures: [String]?
  let speculators_model_type: String?
  let transformer_layer_config: Shape?
  let draft_vocab_size, target_hidden_size: Int?
  let eagle_aux_hidden_state_layer_ids: [Int]?
  let eagle_config: Nested?
  let norm_before_residual, norm_before_fc, fc_norm, norm_output: Bool?
  let speculators_config: Speculators?
  /// The shape of a flat file.
  let shape: Shape

  struct Nested: Decodable {
    let eagle_aux_hidden_state_layer_ids: [Int]?
    let use_aux_hidden_state, norm_before_fc: Bool?
  }

  struct Speculators: Decodable {
    let verifier: Verifier?

    struct Verifier: Decodable {
      let name_or_path: String?
    }
  }

  struct Shape: Decodable {
    let model_type: String?
    var configuration: ConfigurationFile

    private enum Keys: String, CodingKey { case model_type }

    init(from decoder: any Decoder) throws {
      model_type = try decoder.container(keyedBy: Keys.self).decodeIfPresent(String.self, forKey: .model_type)
      configuration = try ConfigurationFile(from: decoder)
    }
  }

  private enum Keys: String, CodingKey {
    case architectures, speculators_model_type, transformer_layer_config, draft_vocab_size, target_hidden_size
    case eagle_aux_hidden_state_layer_ids, eagle_config, norm_before_residual, norm_before_fc, fc_norm, norm_output
    case speculators_config
  }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Keys.self)
    func value<Value: Decodable>(_ key: Keys) throws -> Value? { try keys.decodeIfPresent(Value.self, forKey: key) }
    architectures = try value(.architectures)
    speculators_model_type = try value(.speculators_model_type)
    transformer_layer_config = try value(.transformer_layer_config)
    (draft_vocab_size, target_hidden_size) = (try value(.draft_vocab_size), try value(.target_hidden_size))
    eagle_aux_hidden_state_layer_ids = try value(.eagle_aux_hidden_state_layer_ids)
    eagle_config = try value(.eagle_config)
    (norm_before_residual, norm_before_fc) = (try value(.norm_before_residual), try value(.norm_before_fc))
    (fc_norm, norm_output) = (try value(.fc_norm), try value(.norm_output))
    speculators_config = try value(.speculators_config)
    shape = try Shape(from: decoder)
  }
}

extension ConfigurationFile {
  typealias Defaults = (hidden: Int, heads: Int, intermediate: Int, positions: Int)

  /// Fills in what is absent.
  mutating func fillIn(_ defaults: Defaults) {
    hidden_size = hidden_size ?? defaults.hidden
    num_attention_heads = num_attention_heads ?? defaults.heads
    intermediate_size = intermediate_size ?? defaults.intermediate
    max_position_embeddings = max_position_embeddings ?? defaults.positions
  }
}
