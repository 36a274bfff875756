extension DecoderArchitecture {
  /// Qwen2 and Qwen2.5: biases on queries, keys and values.
  static let qwen2 = DecoderArchitecture(
    ggufName: "qwen2", windows: .afterFirst, queryKeyValueBias: .always, attentionOutputBias: .never,
    feedForwardBias: .never)
}
