internal import Foundation

/// Rotary position embedding: the base, and how it is stretched to longer contexts.
///
/// Sources: Su et al., "RoFormer" (2021); Peng et al., "YaRN" (2023); Llama 3.1's scaling as `transformers` computes it.
public struct RotaryConfiguration: Sendable, Equatable {
  /// How frequencies are changed.
  public enum Scaling: Sendable, Equatable {
    /// Not at all.
    case none
    /// All divided by `factor`.
    case linear(factor: Double)
    /// Low frequencies divided by `factor`, high ones kept, a ramp between.
    case llama3(factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalMaximum: Int)
    /// A ramp by the number of turns within the original context, and a scaled attention.
    case yarn(
      factor: Double, originalMaximum: Int, attentionFactor: Double, fast: Double, slow: Double, truncates: Bool)
    /// Each divided by a factor of its own, `[headSize / 2]`, as GGUF files say it.
    case factors([Float])
  }

  /// Wavelengths grow from 2π to 2π · `base`.
  public let base: Double
  /// How frequencies are changed.
  public let scaling: Scaling
  /// Share of a head's channels that is rotated, above 0 to 1.
  public let rotatedShare: Double

  init(base: Double, scaling: Scaling = .none) { (self.base, self.scaling, rotatedShare) = (base, scaling, 1) }

  /// Channels of a head of `headSize` that are rotated.
  package func rotatedSize(ofHead headSize: Int) -> Int { Int(Double(headSize) * rotatedShare) }

  /// The base where a file does not say.
  static let usualBase = 10_000.0

  /// - Parameters:
  ///   - usualBase: the base where the file does not say.
  ///   - isByLayerType: whether the file may have positions of their own for layers with a window; these are the others'.
  ///   - rotatedShare: of families whose heads are rotated in part, the share that is where the file does not say.
  init(
    _ file: ConfigurationFile, usualBase: Double = usualBase, isByLayerType: Bool = false, rotatedShare: Double? = nil,
    maximumPosition: Int, path: String
  ) throws(ModelFileError) {
    let newer = file.rope_parameters
    guard isByLayerType || newer?.full_attention == nil && newer?.sliding_attention == nil else {
      throw ModelFileError(path, "unsupported: rope_parameters by type of layer in models of this family")
    }
    // A scaling that someone adds to a file of the newer form, as Qwen3's model cards tell them to, prevails.
    let isScaled = file.rope_scaling?.rope_type != nil || file.rope_scaling?.type != nil
    let given = newer?.full_attention ?? newer?.all
    let parameters = isScaled ? file.rope_scaling : given
    try self.init(
      parameters, base: parameters?.rope_theta ?? file.rope_theta ?? given?.rope_theta ?? usualBase,
      partial: file.partial_rotary_factor, usualShare: rotatedShare, maximumPosition: maximumPosition, path: path)
  }

  /// Positions in layers with a window.
  init(
    windowsOf file: ConfigurationFile, usualBase: Double, maximumPosition: Int, path: String
  ) throws(ModelFileError) {
    let given = file.rope_parameters?.sliding_attention
    try self.init(
      given, base: given?.rope_theta ?? file.rope_local_base_freq ?? usualBase, partial: nil, usualShare: nil,
      maximumPosition: maximumPosition, path: path)
  }

  private init(
    _ parameters: ConfigurationFile.RotaryFile?, base: Double, partial: Double?, usualShare: Double?,
    maximumPosition: Int, path: String
  ) throws(ModelFileError) {
    self.base = base
    guard base > 1, Float(base).isFinite else { throw ModelFileError(path, "rope_theta is \(base); expected above 1") }
    let share = parameters?.partial_rotary_factor ?? partial ?? usualShare ?? 1
    guard usualShare != nil || share == 1 else {
      throw ModelFileError(path, "unsupported: partial_rotary_factor \(share); only heads that are rotated in full")
    }
    guard share > 0, share <= 1 else {
      throw ModelFileError(path, "partial_rotary_factor is \(share); expected above 0 to 1")
    }
    rotatedShare = share
    let type = parameters?.rope_type ?? parameters?.type ?? "default"
    func number(_ key: String, _ value: Double?) throws(ModelFileError) -> Double {
      guard let value else { throw ModelFileError(path, "rope scaling of type '\(type)' lacks '\(key)'") }
      guard value >= 1e-6, value <= 1e6 else {
        throw ModelFileError(path, "rope scaling: \(key) is \(value); expected 1e-06 to 1e+06")
      }
      return value
    }
    let original = parameters?.original_max_position_embeddings ?? maximumPosition
    guard original > 0 else {
      throw ModelFileError(path, "original_max_position_embeddings is \(original); expected above 0")
    }
    switch type {
    case "default": scaling = .none
    case "linear": scaling = .linear(factor: try number("factor", parameters?.factor))
    case "llama3":
      let low = try number("low_freq_factor", parameters?.low_freq_factor)
      let high = try number("high_freq_factor", parameters?.high_freq_factor)
      guard high > low else {
        throw ModelFileError(path, "high_freq_factor \(high) is not above low_freq_factor \(low)")
      }
      scaling = .llama3(
        factor: try number("factor", parameters?.factor), lowFrequencyFactor: low, highFrequencyFactor: high,
        originalMaximum: original)
    case "yarn":
      let factor = try number("factor", parameters?.factor)
      func attention(_ weight: Double) -> Double { factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1 }
      var attentionFactor = attention(1)
      if let part = parameters?.mscale, let whole = parameters?.mscale_all_dim, part != 0, whole != 0 {
        attentionFactor = attention(part) / attention(whole)
      }
      scaling = .yarn(
        factor: factor, originalMaximum: original,
        attentionFactor: try number("attention_factor", parameters?.attention_factor ?? attentionFactor),
        fast: try number("beta_fast", parameters?.beta_fast ?? 32),
        slow: try number("beta_slow", parameters?.beta_slow ?? 1), truncates: parameters?.truncate ?? true)
    default:
      throw ModelFileError(path, "unsupported: rope scaling '\(type)'; supported are default, linear, llama3, yarn")
    }
  }

  /// Angle per position of each channel pair, `[headSize / 2]`, and the factor of cosines and sines.
  public func frequencies(headSize: Int) -> (inverseFrequencies: [Float], attentionScale: Float) {
    let half = headSize / 2
    // Single precision throughout, as the reference computes it.
    let plain = (0..<half).map { 1 / powf(Float(base), Float(2 * $0) / Float(headSize)) }
    switch scaling {
    case .none: return (plain, 1)
    case .linear(let factor): return (plain.map { $0 / Float(factor) }, 1)
    case .factors(let factors): return (zip(plain, factors).map { $0 / $1 }, 1)
    case .llama3(let factor, let low, let high, let original):
      let lowWavelength = Float(original) / Float(low)
      let highWavelength = Float(original) / Float(high)
      return (
        plain.map { frequency in
          let wavelength = 2 * Float.pi / frequency
          if wavelength > lowWavelength { return frequency / Float(factor) }
          if wavelength < highWavelength { return frequency }
          let smooth = (Float(original) / wavelength - Float(low)) / Float(high - low)
          return (1 - smooth) * frequency / Float(factor) + smooth * frequency
        }, 1
      )
    case .yarn(let factor, let original, let attention, let fast, let slow, let truncates):
      func channel(turns: Double) -> Double {
        Double(headSize) * log(Double(original) / (turns * 2 * .pi)) / (2 * log(base))
      }
      var (first, last) = (channel(turns: fast), channel(turns: slow))
      if truncates { (first, last) = (first.rounded(.down), last.rounded(.up)) }
      first = max(first, 0)
      last = min(last, Double(headSize - 1))
      if first == last { last += 0.001 }
      let scaled = plain.enumerated().map { index, frequency in
        let ramp = min(max((Float(index) - Float(first)) / Float(last - first), 0), 1)
        return frequency / Float(factor) * ramp + frequency * (1 - ramp)
      }
      return (scaled, Float(attention))
    }
  }
}

extension ModelConfiguration {
  /// Angle per position of each channel pair, `[rotatedSize / 2]`, and the factor of cosines and sines.
  public func rotaryFrequencies() -> (inverseFrequencies: [Float], attentionScale: Float) {
    rotary.frequencies(headSize: rotatedSize)
  }
}
