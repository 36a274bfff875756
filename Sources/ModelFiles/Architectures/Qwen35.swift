extension DecoderArchitecture {
  /// Qwen3.5 and 3.6: gated delta nets, in every fourth layer attention with gates, a quarter of whose channels is rotated;
  /// norms on the heads of queries and keys.
  static let qwen35 = deltaNets(ggufName: "qwen35")

  /// Qwen3.5 and 3.6 with experts, one of which all rows go through (35B-A3B).
  static let qwen35MoE = deltaNets(ggufName: "qwen35moe", hasExperts: true)

  /// Qwen3-Next: as Qwen3.5 with experts, its recurrent layers' inputs joined by key head.
  static let qwen3Next = deltaNets(ggufName: "qwen3next", hasExperts: true, readsKeyHeadsInTurnsInGGUF: false)

  private static func deltaNets(
    ggufName: String, hasExperts: Bool = false, readsKeyHeadsInTurnsInGGUF: Bool = true
  ) -> DecoderArchitecture {
    DecoderArchitecture(
      ggufName: ggufName, ggufAliases: ["post_attention_norm": "ffn_norm"], defaultHeadSize: 256, hasQueryKeyNorm: true,
      hasExperts: hasExperts, hasSharedExpert: hasExperts, normalizesExpertWeights: true, hasAttentionGates: true,
      addsOneToNorms: true, rotatedShare: 0.25, hasRecurrentLayers: true,
      readsKeyHeadsInTurnsInGGUF: readsKeyHeadsInTurnsInGGUF, queryKeyValueBias: .configured,
      attentionOutputBias: .configured, feedForwardBias: .never)
  }
}
