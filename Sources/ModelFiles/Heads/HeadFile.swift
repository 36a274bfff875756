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
  let dflash_config: Block?
  let block_size, mask_token_id, num_target_layers: Int?
  let aux_hidden_state_layer_ids: [Int]?
  let sliding_window_non_causal, sample_from_anchor: Bool?
  /// The shape of a flat file.
  let shape: Shape

  struct Nested: Decodable {
    let eagle_aux_hidden_state_layer_ids: [Int]?
    let use_aux_hidden_state, norm_before_fc: Bool?
  }

  struct Block: Decodable {
    let block_size, mask_token_id: Int?
    let target_layer_ids: [Int]?
    let causal: Bool?
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
    case speculators_config, dflash_config, block_size, mask_token_id, num_target_layers, aux_hidden_state_layer_ids
    case sliding_window_non_causal, sample_from_anchor
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
    dflash_config = try value(.dflash_config)
    (block_size, mask_token_id) = (try value(.block_size), try value(.mask_token_id))
    num_target_layers = try value(.num_target_layers)
    aux_hidden_state_layer_ids = try value(.aux_hidden_state_layer_ids)
    sliding_window_non_causal = try value(.sliding_window_non_causal)
    sample_from_anchor = try value(.sample_from_anchor)
    shape = try Shape(from: decoder)
  }
}

extension HeadFile {
  /// How the head that the file describes drafts; `nil` for a file that describes none.
  func kind(path: String) throws(ModelFileError) -> HeadConfiguration.Kind? {
    if let name = speculators_model_type {
      guard let kind = Self.ownFiles.first(where: { $0.rawValue == name }) else {
        throw ModelFileError(
          path, "unsupported: a head of the kind '\(name)' (speculators_model_type); only \(Self.supported)")
      }
      return kind
    }
    let names = architectures ?? []
    if let kind = names.compactMap({ Self.flatArchitectures[$0] }).first { return kind }
    if let other = names.first(where: Self.otherArchitectures.contains) {
      throw ModelFileError(path, "unsupported: a head of the kind \(other); only \(Self.supported)")
    }
    return nil
  }

  /// Kinds that have files of their own.
  private static let ownFiles: [HeadConfiguration.Kind] = [.eagle3, .dflash]
  private static let supported = ownFiles.map(\.rawValue).joined(separator: ", ")
  private static let flatArchitectures: [String: HeadConfiguration.Kind] = [
    "LlamaForCausalLMEagle3": .eagle3, "Eagle3LlamaForCausalLM": .eagle3, "DFlashDraftModel": .dflash,
  ]
  /// Heads that are known by name, and that nothing here computes.
  private static let otherArchitectures: Set = ["DFlash2DraftModel", "DSparkDraftModel", "Qwen3DSparkModel"]

  /// The shape of the layers: that of the nested object where there is one, what it lacks filled in.
  ///
  /// - Parameter known: the family whose tensors the layers have, whatever the file says.
  func layers(
    as known: ModelConfiguration.Architecture? = nil, path: String
  ) throws(ModelFileError) -> (shape: ConfigurationFile, architecture: ModelConfiguration.Architecture) {
    let isNested = speculators_model_type != nil
    guard !isNested || transformer_layer_config != nil else {
      throw ModelFileError(path, "lacks the key 'transformer_layer_config'")
    }
    let shape = isNested ? transformer_layer_config ?? self.shape : self.shape
    let name = shape.model_type ?? (isNested || known == .qwen3 ? "qwen3" : "llama")
    guard let family = Self.families[name] else {
      throw ModelFileError(
        path,
        "unsupported: layers of model_type '\(name)'; supported are \(Self.families.keys.sorted().joined(separator: ", "))"
      )
    }
    var configuration = shape.configuration
    if isNested { configuration.fillIn(Self.defaults(family)) }
    if known == .qwen3, family == .llama, configuration.head_dim == nil, let hidden = configuration.hidden_size,
      let heads = configuration.num_attention_heads, heads > 0
    {
      configuration.head_dim = hidden / heads
    }
    return (configuration, known ?? family)
  }

  private static let families: [String: ModelConfiguration.Architecture] = ["llama": .llama, "qwen3": .qwen3]

  /// What `transformers` takes where a nested file, which has only what differs, is silent.
  private static func defaults(_ architecture: ModelConfiguration.Architecture) -> ConfigurationFile.Defaults {
    architecture == .qwen3
      ? (hidden: 4096, heads: 32, intermediate: 22_016, positions: 32_768)
      : (hidden: 4096, heads: 32, intermediate: 11_008, positions: 2048)
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
