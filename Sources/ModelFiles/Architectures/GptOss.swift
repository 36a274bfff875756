extension DecoderArchitecture {
  /// gpt-oss: experts with biases and clamped gates, every other layer with a window, sinks, biases in attention.
  static let gptOss = DecoderArchitecture(
    ggufName: "gpt-oss", ggufAliases: ["post_attention_norm": "ffn_norm"], defaultHeadSize: 64, hasExperts: true,
    hasExpertBiases: true, interleavesExperts: true, clampsGates: true, hasSinks: true, usualRotaryBase: 150_000,
    truncatesRamp: false, windows: .allButEvery(period: 2), queryKeyValueBias: .always, attentionOutputBias: .always,
    feedForwardBias: .never)
}
