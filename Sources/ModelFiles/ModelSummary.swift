package import Tensor

/// How large a model is: what `foretoken inspect` shows.
package struct ModelSummary: Sendable, Equatable {
  /// Parameters by part of the model.
  package let parameters: [String: Int]
  /// What tensors take as they are stored, by element type.
  package let tensorBytes: [String: Int]
  /// Memory of the packed matrices, in bytes.
  package let memoryByQuantization: [Quantization: Int]
  /// K/V memory of one position in half precision, in bytes.
  package let keyValueBytesPerToken: Int
  /// Recurrent state of a sequence, in bytes; 0 for models without recurrent layers.
  package let stateBytes: Int

  /// Adds up the shapes that the configuration implies; the checkpoint tells what is on disk.
  package init(configuration: ModelConfiguration, checkpoint: Checkpoint) {
    let tensors = DecoderTensors(configuration)
    var parameters = [
      "embedding": tensors.embedding.count,
      "attention": tensors.layers.map(\.mixer.all.matrixElements).reduce(0, +),
      "feed-forward": tensors.layers.map(\.feedForward.all.matrixElements).reduce(0, +),
    ]
    if let output = tensors.output { parameters["head"] = output.count }
    let matrices = parameters.values.reduce(0, +)
    parameters["norms and biases"] = max(0, checkpoint.parameterCount - matrices)
    self.parameters = parameters
    tensorBytes = checkpoint.bytesByType
    memoryByQuantization = Dictionary(
      uniqueKeysWithValues: Quantization.allCases.map {
        ($0, checkpoint.packedByteCount(configuration: configuration, quantization: $0))
      })
    keyValueBytesPerToken = configuration.keyValueBytesPerToken
    stateBytes = configuration.stateByteCount
  }

  /// The most exact way to hold the weights in `bytes` of memory; `nil` when there is none.
  package func quantization(fitting bytes: Int) -> Quantization? {
    [.file, .int8, .int4].first { memoryByQuantization[$0, default: .max] <= bytes }
  }
}
