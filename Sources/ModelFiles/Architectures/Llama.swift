extension DecoderArchitecture {
  /// Llama 2 and 3, and models that follow them: biases where `config.json` says so; RoPE's frequencies are scaled
  /// (`RotaryConfiguration.Scaling.llama3`).
  static let llama = DecoderArchitecture(
    ggufName: "llama", hasPairedHalvesInGGUF: true, queryKeyValueBias: .configured, attentionOutputBias: .configured,
    feedForwardBias: .configured)
}
