/// What a model's files say that it was made for.
package enum ModelPurpose: Sendable, Equatable {
  /// To go on with texts.
  case generation
  /// To make vectors of texts.
  case embedding(EmbeddingConfiguration)
  /// To say how well texts answer a question.
  case reranking

  /// What `modules.json` says, as sentence-transformers writes it; `nil` where there is none.
  ///
  /// - Throws: `ModelFileError` for modules and poolings that are not computed here.
  init?(directory: String) throws(ModelFileError) {
    let path = directory + "/modules.json"
    guard JSONFile.exists(path) else { return nil }
    var (pooling, normalises): (EmbeddingConfiguration.Pooling?, Bool) = (nil, false)
    for module in try JSONFile.decode([Module].self, at: path) {
      switch module.type.split(separator: ".").last {
      case "Transformer": break
      case "Pooling":
        let folder = module.path ?? ""
        guard !folder.contains("/"), !folder.contains("\\"), folder != ".." else {
          throw ModelFileError(path, "names the folder '\(folder)'; expected one in the same directory")
        }
        pooling = try EmbeddingConfiguration.Pooling(file: directory + "/" + folder + "/config.json")
      case "Normalize": normalises = true
      // A cross-encoder's, which compares logits.
      case "LogitScore":
        self = .reranking
        return
      default:
        throw ModelFileError(
          path, "unsupported: the module \(module.type); expected Transformer, Pooling and Normalize")
      }
    }
    guard let pooling else { throw ModelFileError(path, "names no module that pools") }
    self = .embedding(EmbeddingConfiguration(pooling: pooling, normalises: normalises))
  }

  /// "embeddings (last token)".
  package var description: String {
    switch self {
    case .generation: "generation"
    case .embedding(let configuration): "embeddings (\(configuration.pooling.rawValue))"
    case .reranking: "reranking"
    }
  }

  private struct Module: Decodable {
    let path: String?
    let type: String
  }
}

/// How a model's last hidden states become an embedding: what sentence-transformers writes into `modules.json` and the
/// folders that it names.
public struct EmbeddingConfiguration: Sendable, Equatable {
  /// Which hidden states count.
  public enum Pooling: String, Sendable {
    /// That of the last token.
    case lastToken = "last token"
    /// The mean of all.
    case mean
  }

  /// Which hidden states count.
  public var pooling: Pooling
  /// Whether the vector is brought to length 1.
  public var normalises: Bool

  /// The last token's, normalised: what decoders without a word on it are used with.
  public init(pooling: Pooling = .lastToken, normalises: Bool = true) {
    (self.pooling, self.normalises) = (pooling, normalises)
  }
}

extension EmbeddingConfiguration.Pooling {
  /// What the `config.json` of a pooling module says.
  init(file path: String) throws(ModelFileError) {
    let file = try JSONFile.decode(PoolingFile.self, at: path)
    let modes = file.modes
    switch modes {
    case ["lasttoken"]: self = .lastToken
    case ["mean"]: self = .mean
    default:
      throw ModelFileError(
        path,
        "unsupported: pooling by \(modes.isEmpty ? "nothing" : modes.joined(separator: " and ")); expected lasttoken or mean"
      )
    }
  }

  private struct PoolingFile: Decodable {
    let pooling_mode: String?
    let pooling_mode_cls_token, pooling_mode_mean_tokens, pooling_mode_max_tokens, pooling_mode_lasttoken: Bool?
    let pooling_mode_mean_sqrt_len_tokens, pooling_mode_weightedmean_tokens: Bool?

    /// The poolings whose results are put one after the other.
    var modes: [String] {
      if let pooling_mode { return [pooling_mode] }
      let flags = [
        ("cls", pooling_mode_cls_token), ("mean", pooling_mode_mean_tokens), ("max", pooling_mode_max_tokens),
        ("mean_sqrt_len_tokens", pooling_mode_mean_sqrt_len_tokens),
        ("weightedmean", pooling_mode_weightedmean_tokens), ("lasttoken", pooling_mode_lasttoken),
      ]
      return flags.filter { $0.1 == true }.map(\.0)
    }
  }
}
