extension DecoderArchitecture {
  /// Qwen3.5 and 3.6: gated delta nets, in every fourth layer attention with gates, a quarter of whose channels is rotated;
  /// norms on the heads of queries and keys.
  static let qwen35 = DecoderArchitecture(
    ggufName: "qwen35", ggufAliases: ["post_attention_norm": "ffn_norm"], defaultHeadSize: 256, hasQueryKeyNorm: true,
    hasAttentionGates: true, addsOneToNorms: true, rotatedShare: 0.25, hasRecurrentLayers: true,
    queryKeyValueBias: .configured, attentionOutputBias: .configured, feedForwardBias: .never)
}
