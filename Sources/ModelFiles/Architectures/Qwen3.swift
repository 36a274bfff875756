extension DecoderArchitecture {
  /// Qwen3: norms on the heads of queries and keys.
  static let qwen3 = DecoderArchitecture(
    ggufName: "qwen3", defaultHeadSize: 128, hasQueryKeyNorm: true, windows: .afterFirst,
    queryKeyValueBias: .configured, attentionOutputBias: .configured, feedForwardBias: .never)

  /// Qwen3 with experts (30B-A3B, Coder).
  static let qwen3MoE = DecoderArchitecture(
    ggufName: "qwen3moe", hasQueryKeyNorm: true, hasExperts: true, windows: .everywhereIfUsed,
    queryKeyValueBias: .configured, attentionOutputBias: .configured, feedForwardBias: .never)
}
