extension DecoderArchitecture {
  /// Mistral: Llama's layers, all of them with a window in some models. GGUF files call it Llama.
  static let mistral = DecoderArchitecture(
    ggufName: "llama", hasPairedHalvesInGGUF: true, windows: .everywhere, queryKeyValueBias: .never,
    attentionOutputBias: .never, feedForwardBias: .never)
}
