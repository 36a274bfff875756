public import Tensor

/// How large a model is: what `foretoken inspect` shows.
public struct ModelSummary: Sendable, Equatable {
  /// Parameters by part of the model.
  public let parameters: [String: Int]
  /// Bytes of the files' tensors by element type.
  public let bytesOnDisk: [String: Int]
  /// Memory of the packed matrices, in bytes.
  public let memoryByQuantization: [Quantization: Int]
  /// K/V memory of one position, in bytes.
  public let keyValueBytesPerToken: Int

  /// Adds up the shapes that the configuration implies; the checkpoint tells what is on disk.
  public init(configuration: ModelConfiguration, checkpoint: Checkpoint) {
    let (hidden, layers) = (configuration.hiddenSize, configuration.layerCount)
    let queries = configuration.headCount * configuration.headSize
    let keys = configuration.kvHeadCount * configuration.headSize
    let attention = [(queries + 2 * keys, hidden), (hidden, queries)]
    let feedForward = [(2 * configuration.intermediateSize, hidden), (hidden, configuration.intermediateSize)]
    let head = (configuration.vocabularySize, hidden)
    func size(_ shapes: [(Int, Int)]) -> Int { shapes.reduce(0) { $0 + $1.0 * $1.1 } }
    var parameters = [
      "embedding": size([head]), "attention": layers * size(attention), "feed-forward": layers * size(feedForward),
    ]
    if !configuration.tiesWordEmbeddings { parameters["head"] = size([head]) }
    let matrices = parameters.values.reduce(0, +)
    parameters["norms and biases"] = max(0, checkpoint.parameterCount - matrices)
    self.parameters = parameters
    bytesOnDisk = checkpoint.bytesByType
    memoryByQuantization = Dictionary(
      uniqueKeysWithValues: Quantization.allCases.map {
        ($0, checkpoint.packedByteCount(configuration: configuration, quantization: $0))
      })
    keyValueBytesPerToken = 2 * layers * keys * 2
  }
}
