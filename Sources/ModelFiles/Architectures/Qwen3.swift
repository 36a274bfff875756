extension DecoderArchitecture {
  /// Qwen3: norms on the heads of queries and keys.
  static let qwen3 = DecoderArchitecture(
    ggufName: "qwen3", defaultHeadSize: 128, hasQueryKeyNorm: true, windows: .afterFirst,
    queryKeyValueBias: .configured, attentionOutputBias: .configured, feedForwardBias: .never)
}
