/// Gemma 2 and 3: norms after attention and after the feed-forward network too, which files keep as what is added to 1;
/// scaled embeddings; a gate of GELU.
///
/// Sources: `transformers`' `gemma2` and `gemma3`; llama.cpp's `gemma2.cpp` and `gemma3.cpp`.
extension DecoderArchitecture {
  /// Gemma 2: every other layer has a window; scores and logits are capped.
  static let gemma2 = gemma(
    "gemma2", period: 2, hasQueryKeyNorm: false,
    defaults: Defaults(
      attentionSoftCap: 50, logitSoftCap: 30, maximumPosition: 8192, vocabularySize: 256_000, largestLayerCount: 46))

  /// Gemma 3: five of six layers have a window, and positions of their own.
  static let gemma3 = gemma(
    "gemma3", period: 6, hasQueryKeyNorm: true,
    defaults: Defaults(
      rotaryBase: 1_000_000, windowRotaryBase: 10_000, maximumPosition: 131_072, vocabularySize: 262_208,
      largestLayerCount: 62))

  private static func gemma(
    _ name: String, period: Int, hasQueryKeyNorm: Bool, defaults: Defaults
  ) -> DecoderArchitecture {
    DecoderArchitecture(
      ggufName: name, defaultHeadSize: 256, hasQueryKeyNorm: hasQueryKeyNorm, hasPostNorms: true,
      windows: .allButEvery(period: period), gemma: defaults, queryKeyValueBias: .configured,
      attentionOutputBias: .configured, feedForwardBias: .never)
  }

  /// What files of Gemma leave unsaid.
  struct Defaults: Sendable, Equatable {
    var attentionSoftCap, logitSoftCap: Double?
    var rotaryBase = 10_000.0
    /// Of layers with a window; `nil` where theirs is that of all layers.
    var windowRotaryBase: Double?
    let maximumPosition, vocabularySize: Int
    /// Of the largest model of the family.
    let largestLayerCount: Int
    var headCount: Int { 8 }
    var kvHeadCount: Int { 4 }
    var queryScalar: Double { 256 }
    var activation: String { "gelu_pytorch_tanh" }
  }
}
