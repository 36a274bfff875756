public import Decoding
internal import JSON
public import Speculation

/// How to speculate: the JSON object that vLLM's `--speculative-config` takes.
public struct SpeculativeConfiguration: Sendable, Equatable {
  /// How proposals are verified (`rejection_sample_method`).
  public enum Verification: Sendable, Equatable {
    /// A proposal stands when it is the target's own draw: the text is that of plain decoding.
    case coupled
    /// Leviathan's rejection sampling: the distribution is that of plain decoding, the text is not.
    case standard
    /// Proposals stand at this rate, whatever they are: for measuring only.
    case synthetic(acceptanceRate: Double)
  }

  /// Where proposals come from.
  public let method: SpeculationMethod
  /// The draft model or the head, where there is one: a directory, a GGUF file, or a name in the Hugging Face cache.
  public let draftModel: String?
  /// Most proposals per verification (`num_speculative_tokens`).
  public let window: Int
  /// How they are verified.
  public let verification: Verification
  /// Tokens that prompt lookup matches (`prompt_lookup_min`, `prompt_lookup_max`).
  public let lookupLengths: ClosedRange<Int>
  /// Bounds of the suffix index.
  public let suffix: SuffixProposer.Settings

  /// Windows that make sense; vLLM's largest published one is 15.
  public static let windows = 1...32

  /// A configuration, checked.
  ///
  /// - Parameters:
  ///   - model: the draft that the method needs, or may have.
  ///   - window: proposals per verification; the method's own default when `nil`.
  ///   - lookupLengths: tokens that prompt lookup matches.
  /// - Throws: `SpeculativeConfigurationError` when a number is out of range, or a model is missing or superfluous.
  public init(
    method: SpeculationMethod, model: String? = nil, window: Int? = nil, verification: Verification = .coupled,
    lookupLengths: ClosedRange<Int> = 5...5, suffix: SuffixProposer.Settings? = nil
  ) throws(SpeculativeConfigurationError) {
    switch method.need {
    case .model where model == nil:
      throw SpeculativeConfigurationError("the method '\(method.rawValue)' needs the key 'model'")
    case .nothing where model != nil:
      throw SpeculativeConfigurationError("the method '\(method.rawValue)' takes no 'model'")
    case .head where !SpeculationMethod.own.contains(method): throw .unsupported(method: method.rawValue)
    case .head where model == nil:
      throw SpeculativeConfigurationError(
        "the method '\(method.rawValue)' needs the key 'model', which names a head that was trained on the target")
    case .carriedHead where model != nil:
      throw SpeculativeConfigurationError(
        "the method '\(method.rawValue)' takes no 'model': the layer that proposes is the target's own")
    case .nothing, .optionalModel, .model, .head, .carriedHead: break
    }
    let window = window ?? method.defaultWindow
    guard Self.windows.contains(window) else {
      throw SpeculativeConfigurationError(
        "num_speculative_tokens is \(window); expected \(Self.windows.lowerBound) to \(Self.windows.upperBound)")
    }
    self.method = method
    draftModel = model
    self.window = window
    self.verification = verification
    self.lookupLengths = lookupLengths
    self.suffix = suffix ?? Self.suffix(for: method)
  }

  /// vLLM's defaults; the automatic method remembers past answers only when told to, as they cost memory.
  private static func suffix(for method: SpeculationMethod) -> SuffixProposer.Settings {
    var settings = SuffixProposer.Settings()
    if method == .automatic { settings.cachedRequests = 0 }
    return settings
  }

  /// Reads the JSON object.
  ///
  /// Keys: `method` (`auto`, `draft_model`, `eagle3`, `dflash`, `mtp`, `ngram` or `suffix`; `auto` when absent; `dspark`, as
  /// vLLM calls DFlash heads that correct their proposals, is `dflash`), `model`,
  /// `num_speculative_tokens`, `prompt_lookup_min`, `prompt_lookup_max`, `suffix_decoding_max_tree_depth`,
  /// `suffix_decoding_max_cached_requests`, `suffix_decoding_max_spec_factor`, `suffix_decoding_min_token_prob`,
  /// `rejection_sample_method` (`coupled`, `standard` or `synthetic`), `synthetic_acceptance_rate`.
  ///
  /// - Throws: `SpeculativeConfigurationError` that names the key, what it holds and what was expected.
  public init(json: String) throws(SpeculativeConfigurationError) {
    let keys = try ConfigurationKeys(json: json)
    let name = try keys.string("method") ?? SpeculationMethod.automatic.rawValue
    let model = try keys.string("model")
    guard let method = SpeculationMethod(rawValue: name == "dspark" ? "dflash" : name) else {
      throw .unsupported(method: name)
    }
    let hasSuffix = method == .suffix || method == .automatic
    if method != .ngram { try keys.refuse(["prompt_lookup_min", "prompt_lookup_max"], unless: "ngram") }
    if !hasSuffix { try keys.refuse(ConfigurationKeys.suffix, unless: "suffix") }
    try keys.check()
    try self.init(
      method: method, model: model, window: try keys.integer("num_speculative_tokens"),
      verification: try Self.verification(keys), lookupLengths: try Self.lookupLengths(keys),
      suffix: hasSuffix ? try Self.suffix(keys, defaults: Self.suffix(for: method)) : nil)
  }

  /// As in vLLM: one bound given sets both; 5 when neither is.
  private static func lookupLengths(_ keys: ConfigurationKeys) throws(SpeculativeConfigurationError) -> ClosedRange<Int>
  {
    let lowest = try keys.integer("prompt_lookup_min")
    let highest = try keys.integer("prompt_lookup_max")
    let upper = highest ?? lowest ?? 5
    let lower = lowest ?? highest ?? 5
    guard lower >= 1, lower <= upper else {
      throw SpeculativeConfigurationError(
        "prompt_lookup_min is \(lower) and prompt_lookup_max \(upper); expected 1 ≤ min ≤ max")
    }
    return lower...upper
  }

  private static func verification(
    _ keys: ConfigurationKeys
  ) throws(SpeculativeConfigurationError) -> Verification {
    let rate = try keys.number("synthetic_acceptance_rate", in: 0...1)
    let name = try keys.string("rejection_sample_method") ?? "coupled"
    guard rate == nil || name == "synthetic" else {
      throw SpeculativeConfigurationError(
        "'synthetic_acceptance_rate' belongs to the rejection_sample_method 'synthetic'")
    }
    switch name {
    case "coupled": return .coupled
    case "standard": return .standard
    case "synthetic":
      guard let rate else {
        throw SpeculativeConfigurationError(
          "the rejection_sample_method 'synthetic' needs the key 'synthetic_acceptance_rate'")
      }
      return .synthetic(acceptanceRate: rate)
    default:
      throw SpeculativeConfigurationError(
        "the rejection_sample_method '\(name)' is not supported; supported are coupled, standard and synthetic")
    }
  }

  private static func suffix(
    _ keys: ConfigurationKeys, defaults: SuffixProposer.Settings
  ) throws(SpeculativeConfigurationError) -> SuffixProposer.Settings {
    var settings = defaults
    settings.depth = try keys.integer("suffix_decoding_max_tree_depth", in: 2...256) ?? settings.depth
    settings.cachedRequests =
      try keys.integer("suffix_decoding_max_cached_requests", in: 0...10_000_000) ?? settings.cachedRequests
    settings.speculationFactor =
      try keys.number("suffix_decoding_max_spec_factor", in: 0...64) ?? settings.speculationFactor
    settings.leastProbability =
      try keys.number("suffix_decoding_min_token_prob", in: 0...1) ?? settings.leastProbability
    return settings
  }
}

/// The keys of a speculative configuration, read with their types checked.
private struct ConfigurationKeys {
  static let suffix = [
    "suffix_decoding_max_cached_requests", "suffix_decoding_max_spec_factor", "suffix_decoding_max_tree_depth",
    "suffix_decoding_min_token_prob",
  ]
  static let known = Set(
    [
      "method", "model", "num_speculative_tokens", "prompt_lookup_min", "prompt_lookup_max",
      "rejection_sample_method", "synthetic_acceptance_rate",
    ] + suffix)

  private let object: JSONObject

  init(json: String) throws(SpeculativeConfigurationError) {
    let parsed: JSONValue
    do { parsed = try JSONValue(parsing: json) } catch {
      throw SpeculativeConfigurationError(
        "'\(json)' is not JSON (\(error)); expected an object such as {\"method\": \"ngram\"}")
    }
    guard case .object(let object) = parsed else {
      throw SpeculativeConfigurationError("expected a JSON object such as {\"method\": \"ngram\"}")
    }
    self.object = object
  }

  /// Refuses keys that nothing reads.
  func check() throws(SpeculativeConfigurationError) {
    if let unknown = object.keys.filter({ !Self.known.contains($0) }).min() {
      throw SpeculativeConfigurationError(
        "the key '\(unknown)' is not supported; supported are \(Self.known.sorted().joined(separator: ", "))")
    }
  }

  func refuse(_ keys: [String], unless method: String) throws(SpeculativeConfigurationError) {
    if let key = keys.first(where: { value($0) != nil }) {
      throw SpeculativeConfigurationError("'\(key)' belongs to the method '\(method)'")
    }
  }

  /// The value under `key`; `null` counts as absent.
  private func value(_ key: String) -> JSONValue? {
    guard let value = object[key], value != .null else { return .none }
    return value
  }

  private func wrong(_ key: String, _ value: JSONValue, _ expected: String) -> SpeculativeConfigurationError {
    SpeculativeConfigurationError("'\(key)' is \(value.serialized()); expected \(expected)")
  }

  func string(_ key: String) throws(SpeculativeConfigurationError) -> String? {
    guard let value = value(key) else { return nil }
    guard let string = value.string else { throw wrong(key, value, "a string") }
    return string
  }

  func integer(_ key: String) throws(SpeculativeConfigurationError) -> Int? {
    guard let value = value(key) else { return nil }
    guard let number = value.wholeNumber else { throw wrong(key, value, "a whole number") }
    return number
  }

  func integer(_ key: String, in range: ClosedRange<Int>) throws(SpeculativeConfigurationError) -> Int? {
    guard let number = try integer(key) else { return nil }
    guard range.contains(number) else {
      throw SpeculativeConfigurationError(
        "'\(key)' is \(number); expected \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  func number(_ key: String, in range: ClosedRange<Double>) throws(SpeculativeConfigurationError) -> Double? {
    guard let value = value(key) else { return nil }
    guard let number = value.double, range.contains(number) else {
      throw wrong(key, value, "a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }
}

/// A speculative configuration that cannot be followed.
public struct SpeculativeConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
  /// One sentence: what was found, what was expected.
  public let description: String

  fileprivate init(_ reason: String) { description = "speculative config: \(reason)" }

  fileprivate static func unsupported(method name: String) -> SpeculativeConfigurationError {
    let known = SpeculationMethod.own.map(\.rawValue)
    return SpeculativeConfigurationError(
      "the method '\(name)' is not supported; supported are \(known.dropLast().joined(separator: ", ")) and \(known[known.count - 1])"
    )
  }
}
