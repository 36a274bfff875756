package import ModelFiles

/// Shapes of well-known models, to measure what they cost without their files.
package enum ModelShape: String, Sendable, CaseIterable {
  case qwen3Smallest = "qwen3-0.6b"
  case qwen3Small = "qwen3-1.7b"
  case qwen3Medium = "qwen3-4b"
  case qwen3Large = "qwen3-8b"
  case qwen3Experts = "qwen3-30b-a3b"
  case gptOss = "gpt-oss-20b"

  /// The architecture as the model's `config.json` has it.
  ///
  /// - Parameter layers: how many layers, if not all.
  package func configuration(layers: Int? = nil) throws(ModelFileError) -> ModelConfiguration {
    guard let model = PublishedModel.all.first(where: { $0.name.lowercased().hasSuffix("/" + rawValue) }) else {
      throw ModelFileError(rawValue, "is not among the models whose sizes are known")
    }
    return try model.configuration(layers: layers)
  }
}
