/// The sizes of models that many know by name, from each one's `config.json` at https://huggingface.co/NAME.
package struct PublishedModel: Sendable, Equatable {
  /// What models of one maker share.
  package enum Family: String, Sendable {
    case qwen3 = "Qwen"
    case llama3 = "Llama 3"
  }

  /// ORG/NAME on the hub.
  package let name: String
  package let family: Family
  package let hiddenSize, layers, heads: Int
  package var headSize = 128
  package let intermediateSize: Int
  package var tiesEmbeddings = false

  package var keyValueHeads: Int { 8 }
  package var vocabulary: Int { family == .qwen3 ? 151_936 : 128_256 }
  package var longestSequence: Int { family == .qwen3 ? 40_960 : 131_072 }

  package static let all = [
    qwen3("0.6B", hidden: 1024, layers: 28, heads: 16, intermediate: 3072, ties: true),
    qwen3("1.7B", hidden: 2048, layers: 28, heads: 16, intermediate: 6144, ties: true),
    qwen3("4B", hidden: 2560, layers: 36, heads: 32, intermediate: 9728, ties: true),
    qwen3("8B", hidden: 4096, layers: 36, heads: 32, intermediate: 12288),
    qwen3("14B", hidden: 5120, layers: 40, heads: 40, intermediate: 17408),
    qwen3("32B", hidden: 5120, layers: 64, heads: 64, intermediate: 25600),
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

  private static func llama(
    _ name: String, hidden: Int, layers: Int, heads: Int, headSize: Int = 128, intermediate: Int, ties: Bool = false
  ) -> PublishedModel {
    PublishedModel(
      name: "meta-llama/Llama-\(name)", family: .llama3, hiddenSize: hidden, layers: layers, heads: heads,
      headSize: headSize, intermediateSize: intermediate, tiesEmbeddings: ties)
  }
}
