public import Decoding
public import ModelFiles
internal import Tensor
internal import Transformer

/// What proposes beside a target, opened: a model of its own, or a head on the target.
public enum Speculator: Sendable {
  /// A draft model.
  case draftModel(ModelSource)
  /// A head.
  case head(Head)

  /// Opens what `name` is, and checks that it fits the target.
  ///
  /// - Throws: `ModelFileError` or `TokenizerError`, naming the file and the fact; `VocabularyMismatch` for a draft model
  ///   whose tokens are others than the target's.
  init(_ name: String, for target: ModelSource) throws {
    let container = try HubCache().open(name)
    // A model beside itself is the layer that it carries, where it has one.
    let carried = container.path == target.path ? try container.carriedHead() : nil
    if let head = try carried ?? container.head() {
      try head.check(fits: target.configuration)
      self = .head(head)
      return
    }
    let draft = try ModelSource(name)
    guard draft.configuration.recurrence == nil else {
      throw EngineConfigurationError(
        description:
          "'\(draft.path)' has recurrent layers (\(draft.configuration.architecture.rawValue)); a draft model needs attention in all of them, as it goes back to where proposals were rejected"
      )
    }
    try VocabularyAgreement.check(target: target.tokenizer, draft: draft.tokenizer)
    self = .draftModel(draft)
  }

  /// The head that `target` carries.
  ///
  /// - Throws: `EngineConfigurationError` where it carries none.
  init(carriedBy target: ModelSource) throws {
    guard let head = try openContainer(at: target.path).carriedHead() else {
      throw EngineConfigurationError(
        description:
          "'\(target.path)' carries no MTP layer (mtp.*, model.layers.\(target.configuration.layerCount).eh_proj or model.mtp_layers.0.*, in GGUF files nextn.*), which the method mtp proposes with"
      )
    }
    try head.check(fits: target.configuration)
    self = .head(head)
  }

  /// Where it is.
  public var path: String {
    switch self {
    case .draftModel(let model): model.path
    case .head(let head): head.path
    }
  }

  /// How it proposes where its proposals are always asked for.
  public var method: SpeculationMethod {
    switch self {
    case .draftModel: .draftModel
    case .head(let head): SpeculationMethod(head.configuration.kind)
    }
  }

  /// The shape of its layers.
  package var configuration: ModelConfiguration {
    switch self {
    case .draftModel(let model): model.configuration
    case .head(let head): head.configuration.layers
    }
  }

  /// Tokens that a pass proposes for each sequence.
  func proposalsPerPass(window: Int) -> Int {
    guard case .head(let head) = self, let block = head.configuration.block else { return 1 }
    return max(1, min(window, block.most))
  }

  /// Bytes of the packed weights.
  func weightBytes(_ quantization: Quantization) -> Int {
    switch self {
    case .draftModel(let model): model.weightBytes(quantization)
    case .head(let head): head.packedByteCount(quantization)
    }
  }

  /// Bytes of the files of the weights.
  var fileBytes: Int {
    switch self {
    case .draftModel(let model): model.fileBytes
    case .head(let head): head.fileBytes
    }
  }
}

extension SpeculationMethod {
  /// By which a head proposes.
  init(_ kind: HeadConfiguration.Kind) {
    switch kind {
    case .eagle3: self = .eagle3
    case .dflash: self = .dflash
    case .mtp: self = .mtp
    }
  }
}

extension HeadConfiguration.Kind {
  /// "an EAGLE-3 head"
  var description: String { "\(self == .dflash ? "a" : "an") \(title) head" }
}
