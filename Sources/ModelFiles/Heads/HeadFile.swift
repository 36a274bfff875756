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
  let block_size, mask_token_id, num_target_layers, markov_rank: Int?
  let aux_hidden_state_layer_ids, target_layer_ids: [Int]?
  let sliding_window_non_causal, sample_from_anchor, confidence_head_with_markov: Bool?
  let markov_head_type: String?
  private let arithmetic: Arithmetic
  /// The shape of a flat file.
  let shape: Shape

  struct Nested: Decodable {
    let eagle_aux_hidden_state_layer_ids: [Int]?
    let use_aux_hidden_state, norm_before_fc: Bool?
  }

  struct Block: Decodable {
    let block_size, mask_token_id, swa_window_size, markov_rank: Int?
    let target_layer_ids: [Int]?
    let causal, use_swa, shift_label, confidence_head_with_markov: Bool?
    let markov_head_type: String?
    fileprivate let arithmetic: Arithmetic

    private enum Keys: String, CodingKey {
      case block_size, mask_token_id, swa_window_size, markov_rank, target_layer_ids, causal, use_swa, shift_label
      case confidence_head_with_markov, markov_head_type
    }

    init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: Keys.self)
      func value<Value: Decodable>(_ key: Keys) throws -> Value? { try keys.decodeIfPresent(Value.self, forKey: key) }
      (block_size, mask_token_id) = (try value(.block_size), try value(.mask_token_id))
      (swa_window_size, markov_rank) = (try value(.swa_window_size), try value(.markov_rank))
      target_layer_ids = try value(.target_layer_ids)
      (causal, use_swa, shift_label) = (try value(.causal), try value(.use_swa), try value(.shift_label))
      confidence_head_with_markov = try value(.confidence_head_with_markov)
      markov_head_type = try value(.markov_head_type)
      arithmetic = try Arithmetic(from: decoder)
    }
  }

  /// What heads that propose blocks may ask for, and nothing here computes; at the top level or in `dflash_config`.
  fileprivate struct Arithmetic: Decodable {
    let attention_sink_bias, add_swa_attention_sink_bias, is_neox_style: Bool?
    let attention_value_scale, input_embedding_scale, output_multiplier, logit_scale: Double?
    let final_logit_softcapping: Double?

    /// The first that is asked for, and how.
    var demand: String? {
      let flags = [
        ("attention_sink_bias", attention_sink_bias, false),
        ("add_swa_attention_sink_bias", add_swa_attention_sink_bias, false), ("is_neox_style", is_neox_style, true),
      ]
      if let (key, _, usual) = flags.first(where: { $1 != nil && $1 != $2 }) { return "\(key) \(!usual)" }
      let numbers = [
        ("attention_value_scale", attention_value_scale, 1), ("input_embedding_scale", input_embedding_scale, 1),
        ("output_multiplier", output_multiplier, 1), ("logit_scale", logit_scale, 1),
        ("final_logit_softcapping", final_logit_softcapping, 0.0),
      ]
      return numbers.first { $1 != nil && $1 != $2 }.map { "\($0) \($1 ?? $2)" }
    }
  }

  /// What a head that proposes blocks asks for, and nothing here computes, as the file says it.
  var otherArithmetic: String? { arithmetic.demand ?? dflash_config?.arithmetic.demand }

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
    case sliding_window_non_causal, sample_from_anchor, target_layer_ids, markov_rank, markov_head_type
    case confidence_head_with_markov
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
    target_layer_ids = try value(.target_layer_ids)
    (markov_rank, markov_head_type) = (try value(.markov_rank), try value(.markov_head_type))
    confidence_head_with_markov = try value(.confidence_head_with_markov)
    arithmetic = try Arithmetic(from: decoder)
    shape = try Shape(from: decoder)
  }
}

extension HeadFile {
  /// What a head's own file describes. Names are those of `speculators_model_type`.
  enum Kind: String, CaseIterable {
    case eagle3, dflash, dspark
  }

  /// What the file describes; `nil` for a file that describes no head.
  func kind(path: String) throws(ModelFileError) -> Kind? {
    if let name = speculators_model_type {
      guard let kind = Kind(rawValue: name) else {
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

  private static let supported = Kind.allCases.map(\.rawValue).joined(separator: ", ")
  private static let flatArchitectures: [String: Kind] = [
    "LlamaForCausalLMEagle3": .eagle3, "Eagle3LlamaForCausalLM": .eagle3, "DFlashDraftModel": .dflash,
    "Qwen3DSparkModel": .dspark, "DSparkDraftModel": .dspark,
  ]
  /// Heads that are known by name, and that nothing here computes.
  private static let otherArchitectures: Set = ["DFlash2DraftModel"]

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
