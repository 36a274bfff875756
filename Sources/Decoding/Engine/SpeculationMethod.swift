/// A way to speculate: who proposes the tokens that the target verifies.
///
/// The one name of it from flags and requests to metrics and reports. Plain decoding is the absence of a method.
public enum SpeculationMethod: String, Sendable, Hashable, CaseIterable, Codable {
  /// Whatever pays, as much as pays: free proposers, and a draft model if one is given.
  case automatic = "auto"
  /// What a small model of the same vocabulary would write.
  case draftModel = "draft_model"
  /// Prompt lookup: what followed the last few tokens where they stood before.
  case ngram
  /// The suffix index over the sequence and past answers.
  case suffix

  /// Whether a method can do with a model of its own.
  public enum Need: Sendable, Equatable {
    case nothing, optionalModel, model
  }

  /// What has to be loaded besides the target.
  public var need: Need {
    switch self {
    case .automatic: .optionalModel
    case .draftModel: .model
    case .ngram, .suffix: .nothing
    }
  }

  /// Most proposals per verification where none is asked for: vLLM's five where the number is fixed, more where the
  /// method itself chooses how many.
  public var defaultWindow: Int {
    switch self {
    case .automatic, .suffix: 10
    case .draftModel, .ngram: 5
    }
  }

  /// The methods that a request may name where the engine has this one: with `auto`, every one that it chooses from.
  ///
  /// - Parameter hasModel: whether a draft model is loaded.
  public func choices(hasModel: Bool) -> [SpeculationMethod] {
    guard self == .automatic else { return [self] }
    return Self.allCases.filter { $0.need != .model || hasModel }
  }

  /// The method's name in sentences and tables.
  public var label: String {
    switch self {
    case .automatic: "auto"
    case .draftModel: "draft model"
    case .ngram: "n-gram"
    case .suffix: "suffix"
    }
  }
}
