/// The sizes of models that many know by name, from each one's `config.json` at https://huggingface.co/NAME.
package struct PublishedModel: Sendable, Equatable {
  /// What models of one architecture share.
  package enum Family: Sendable {
    case qwen3, qwen3MoE, llama3, gptOss

    /// Whose tokenizer they have.
    package var tokenizer: String {
      switch self {
      case .qwen3, .qwen3MoE: "Qwen"
      case .llama3: "Llama 3"
      case .gptOss: "gpt-oss"
      }
    }
  }

  /// ORG/NAME on the hub.
  package let name: String
  package let family: Family
  let hiddenSize, layers, heads: Int
  var headSize = 128
  let intermediateSize: Int
  var tiesEmbeddings = false
  var kvHeads = 8
  var experts = 128

  /// What `config.json` says, but for Llama's stretched positions, on which no size depends.
  ///
  /// - Parameter layers: how many layers, if not all.
  package func configuration(layers: Int? = nil) throws(ModelFileError) -> ModelConfiguration {
    let (architecture, vocabulary, positions, rotaryBase, epsilon) =
      switch family {
      case .qwen3: ("Qwen3ForCausalLM", 151_936, 40_960, 1_000_000, "1e-6")
      case .qwen3MoE: ("Qwen3MoeForCausalLM", 151_936, 40_960, 1_000_000, "1e-6")
      case .llama3: ("LlamaForCausalLM", 128_256, 131_072, 500_000, "1e-5")
      case .gptOss: ("GptOssForCausalLM", 201_088, 131_072, 150_000, "1e-5")
      }
    let json = """
      {"architectures": ["\(architecture)"], "hidden_size": \(hiddenSize), "num_hidden_layers": \(layers ?? self.layers),
       "num_attention_heads": \(heads), "num_key_value_heads": \(kvHeads), "head_dim": \(headSize),
       "intermediate_size": \(intermediateSize), "vocab_size": \(vocabulary), "max_position_embeddings": \(positions),
       "rms_norm_eps": \(epsilon), "rope_theta": \(rotaryBase), "tie_word_embeddings": \(tiesEmbeddings),
       "num_experts": \(experts), "num_experts_per_tok": \(family == .gptOss ? 4 : 8), "moe_intermediate_size": 768,
       "norm_topk_prob": true, "sliding_window": 128}
      """
    return try ModelConfiguration(json: Array(json.utf8), path: name)
  }

  package static let all = [
    qwen3("0.6B", hidden: 1024, layers: 28, heads: 16, intermediate: 3072, ties: true),
    qwen3("1.7B", hidden: 2048, layers: 28, heads: 16, intermediate: 6144, ties: true),
    qwen3("4B", hidden: 2560, layers: 36, heads: 32, intermediate: 9728, ties: true),
    qwen3("8B", hidden: 4096, layers: 36, heads: 32, intermediate: 12288),
    qwen3("14B", hidden: 5120, layers: 40, heads: 40, intermediate: 17408),
    qwen3("32B", hidden: 5120, layers: 64, heads: 64, intermediate: 25600),
    PublishedModel(
      name: "Qwen/Qwen3-30B-A3B", family: .qwen3MoE, hiddenSize: 2048, layers: 48, heads: 32, intermediateSize: 6144,
      kvHeads: 4),
    gptOss("20b", layers: 24, experts: 32),
    gptOss("120b", layers: 36, experts: 128),
    llama("3.1-8B-Instruct", hidden: 4096, layers: 32, heads: 32, intermediate: 14336),
    llama("3.1-8B", hidden: 4096, layers: 32, heads: 32, intermediate: 14336),
    llama("3.3-70B-Instruct", hidden: 8192, layers: 80, heads: 64, intermediate: 28672),
    llama("3.2-1B-Instruct", hidden: 2048, layers: 16, heads: 32, headSize: 64, intermediate: 8192, ties: true),
  ]

  private static func qwen3(
    _ size: String, hidden: Int, layers: Int, heads: Int, intermediate: Int, ties: Bool = false
  ) -> PublishedModel {
    PublishedModel(
      name: "Qwen/Qwen3-\(size)", family: .qwen3, hiddenSize: hidden, layers: layers, heads: heads,
      intermediateSize: intermediate, tiesEmbeddings: ties)
  }

  private static func gptOss(_ size: String, layers: Int, experts: Int) -> PublishedModel {
    PublishedModel(
      name: "openai/gpt-oss-\(size)", family: .gptOss, hiddenSize: 2880, layers: layers, heads: 64, headSize: 64,
      intermediateSize: 2880, experts: experts)
  }

  private static func llama(
    _ name: String, hidden: Int, layers: Int, heads: Int, headSize: Int = 128, intermediate: Int, ties: Bool = false
  ) -> PublishedModel {
    PublishedModel(
      name: "meta-llama/Llama-\(name)", family: .llama3, hiddenSize: hidden, layers: layers, heads: heads,
      headSize: headSize, intermediateSize: intermediate, tiesEmbeddings: ties)
  }
}
