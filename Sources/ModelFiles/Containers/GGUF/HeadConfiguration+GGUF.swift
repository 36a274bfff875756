extension HeadConfiguration {
  /// What llama.cpp calls EAGLE-3 heads.
  static let ggufName = "eagle3"

  /// Reads the metadata of a GGUF file.
  ///
  /// Ids of layers are those of streams that enter them; a layer is Llama's, and so are its queries and keys, whose rows
  /// stand in pairs. Source: llama.cpp's converter and loader of the architecture "eagle3".
  ///
  /// - Throws: `ModelFileError` that names what is missing, out of range or unsupported.
  init(_ file: GGUFFile) throws(ModelFileError) {
    let (metadata, path, family) = (file.metadata, file.path, Self.ggufName)
    func key(_ name: String) -> String { "\(family).\(name)" }
    let embedding = file[TensorName(.embedding).gguf]?.shape.first
    let vocabularySize: Int
    if let embedding {
      vocabularySize = embedding
    } else {
      vocabularySize = try metadata.required(key("vocab_size"), in: 1...16_777_216)
    }
    layers = try ModelConfiguration(file, family: family, as: .llama, vocabularySize: vocabularySize)
    guard layers.windows.isEmpty else {
      throw ModelFileError(path, "unsupported: \(key("attention.sliding_window")) in a head")
    }
    targetHiddenSize = try metadata.integer(key("target_hidden_size"), in: 1...65_536) ?? layers.hiddenSize
    self.vocabularySize = file[TensorName(.output).gguf]?.shape.first ?? vocabularySize
    let ids = try metadata.integers(key("target_layers"))
    if let ids {
      guard (1...64).contains(ids.count), ids.allSatisfy({ $0 >= 0 }) else {
        throw ModelFileError(path, "\(key("target_layers")) is \(ids); expected 1 to 64 numbers of layers")
      }
    }
    tappedLayers = ids.map { Set($0).sorted() }
    streamNorm = try metadata.boolean(key("norm_before_fc")) ?? false ? .joined : .none
    normalisesResidual = try metadata.boolean(key("norm_before_residual")) ?? false
    kind = .eagle3
  }
}
