/// A way to speculate: who proposes the tokens that the target verifies.
///
/// Its one name, from flags and requests to metrics, reports and manifests. Plain decoding is the absence of a method.
/// Names in JSON are vLLM's where vLLM has the method.
public enum SpeculationMethod: String, Sendable, Hashable, CaseIterable, Codable {
  /// Whatever pays, as much as pays: free proposers, and a draft model if one is given.
  case automatic = "auto"
  /// What a small model of the same vocabulary would write.
  case draftModel = "draft_model"
  /// A head on the target's hidden states (EAGLE-3).
  case eagle3
  /// A head that proposes a whole block at once.
  case dflash
  /// A layer of the target's own checkpoint that predicts the token after the next.
  case mtp
  /// Prompt lookup: what followed the last few tokens where they stood before.
  case ngram
  /// An index over the sequence and past answers.
  case suffix

  /// The methods that this engine has; the others are those of engines that it deploys.
  public static let own: [SpeculationMethod] = [.automatic, .draftModel, .eagle3, .dflash, .mtp, .ngram, .suffix]

  /// What has to be loaded besides the target.
  public enum Need: Sendable {
    case nothing, optionalModel, model
    /// Weights that were trained on one target, and do not stand alone.
    case head
    /// Weights that the target's own checkpoint carries.
    case carriedHead
  }

  /// What has to be loaded besides the target.
  public var need: Need {
    switch self {
    case .automatic: .optionalModel
    case .draftModel: .model
    case .eagle3, .dflash: .head
    case .mtp: .carriedHead
    case .ngram, .suffix: .nothing
    }
  }

  /// Most proposals per verification where none is asked for: vLLM's five where the number is fixed, more where the
  /// method itself says how many.
  public var defaultWindow: Int {
    switch self {
    case .automatic, .suffix: 10
    case .draftModel, .eagle3, .dflash, .ngram: 5
    // One layer that was trained to look one token ahead, over and over.
    case .mtp: 3
    }
  }

  /// The methods that a request may name where the engine has this one: with `auto`, every one that it chooses from.
  ///
  /// - Parameter loaded: how the model or the head that is loaded beside the target proposes, if there is one.
  public func choices(loaded: SpeculationMethod?) -> [SpeculationMethod] {
    guard self == .automatic else { return [loaded ?? self] }
    return [.automatic, .ngram, .suffix] + (loaded.map { [$0] } ?? [])
  }
}
