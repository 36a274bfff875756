public import Decoding
internal import ModelFiles
internal import Speculation
internal import Tensor
public import Transformer

/// A target with its proposer, loaded and ready to run.
public final class SpeculativeEngine: Sendable {
  /// The target, opened.
  public let target: ModelSource
  /// The draft, opened, when there is one.
  public let draft: ModelSource?
  /// Memory of the target and the draft.
  public let memory: [RunnerMemory]
  /// Proposals per verification; 0 for plain decoding.
  public let window: Int
  /// Takes requests.
  public let engine: Engine

  /// Loads the target, and the draft when the configuration has one, and starts the engine's thread.
  ///
  /// - Parameters:
  ///   - mismatch: called when an audited answer differs from plain decoding.
  ///   - progress: called with what is being loaded and how much of it is done, 0 to 1.
  /// - Throws: `ModelFileError`, `TokenizerError`, `VocabularyMismatch` or `EngineConfigurationError`.
  public convenience init(
    _ configuration: EngineConfiguration, mismatch: @escaping @Sendable (AuditMismatch) -> Void = { _ in },
    progress: @Sendable (String, Double) -> Void = { _, _ in }
  ) throws {
    try self.init(configuration, mismatch: mismatch, wrapping: { runner, _ in runner }, progress: progress)
  }

  /// The same with runners that `wrap` has put something around.
  package init(
    _ configuration: EngineConfiguration, mismatch: @escaping @Sendable (AuditMismatch) -> Void = { _ in },
    wrapping wrap: EngineAssembly.RunnerWrapper, progress: @Sendable (String, Double) -> Void = { _, _ in }
  ) throws {
    let parts = try EngineAssembly(configuration, wrapping: wrap, progress: progress)
    (target, draft, memory, window) = (parts.target, parts.draft, parts.memory, parts.window)
    engine = Engine(parts.makeLoop(), auditShare: configuration.auditShare, mismatch: mismatch)
  }
}

/// What a decoding loop is made of: models from files, loaded, and who proposes and verifies.
package struct EngineAssembly {
  package let target: ModelSource
  package let draft: ModelSource?
  package let memory: [RunnerMemory]
  package let window: Int
  private let configuration: EngineConfiguration
  private let runner: any ModelRunner
  private let proposer: any Proposer
  private let verifier: any Verifier
  private let costs: PassCosts
  /// KV blocks that the target may use.
  private let blocks: Int?

  /// Puts something around the target's runner, or a draft's, that sees its passes.
  package typealias RunnerWrapper = @Sendable (_ runner: any ModelRunner, _ isTarget: Bool) -> any ModelRunner

  /// Loads the models that `configuration` names.
  package init(
    _ configuration: EngineConfiguration, wrapping wrap: RunnerWrapper = { runner, _ in runner },
    progress: @Sendable (String, Double) -> Void = { _, _ in }
  ) throws {
    try configuration.validate()
    let target = try ModelSource(configuration.model)
    // Refuse a draft that does not fit before minutes go into packing the target.
    let draft = try configuration.speculation?.draftModel.map { try ModelSource($0) }
    if let draft { try VocabularyAgreement.check(target: target.tokenizer, draft: draft.tokenizer) }
    try self.init(
      configuration, target: target, draft: draft, on: configuration.openBackend(), wrapping: wrap, progress: progress)
  }

  private init(
    _ configuration: EngineConfiguration, target: ModelSource, draft: ModelSource?, on backend: some Backend,
    wrapping wrap: RunnerWrapper, progress: @Sendable (String, Double) -> Void
  ) throws {
    (self.configuration, self.target, self.draft) = (configuration, target, draft)
    let speculation = configuration.speculation
    window = speculation?.window ?? 0
    var sizes = try configuration.sizes(target: target.configuration, draft: draft?.configuration, on: backend)
    if backend.usesOwnMemory {
      try configuration.fit(
        &sizes, target: target, drafts: [draft].compactMap(\.self), on: backend, limits: MemoryLimit.all())
    }
    blocks = sizes.blocks
    try backend.check(window: window, sequences: sizes.target.sequences)
    let bare = try backend.load(target, limits: sizes.target) { progress("target", $0) }
    costs = speculation == nil ? PassCosts() : try Self.costs(of: bare, rows: sizes.decodingRows, configuration)
    var memory = [bare.memory]
    var factory = ProposerFactory()
    if let speculation { (factory.lookupLengths, factory.suffix) = (speculation.lookupLengths, speculation.suffix) }
    var fused: FusedDraftModel?
    if let draft, let limits = sizes.draft {
      let draftRunner = try backend.load(draft, limits: limits) { progress("draft", $0) }
      let rows = max(configuration.sequences, DraftModelProposer.readingRows)
      let proposer = DraftModelProposer(
        runner: wrap(draftRunner, false), vocabularySize: bare.vocabularySize,
        sampling: speculation?.verification == .standard ? .independent : .coupled,
        costs: speculation?.method == .automatic
          ? try Self.costs(of: draftRunner, rows: rows, configuration) : PassCosts())
      fused = try backend.joined(target: bare, draft: draftRunner, proposer: proposer, window: window)
      factory.draft = proposer
      memory.append(draftRunner.memory)
    }
    self.memory = memory
    runner = wrap(fused ?? bare, true)
    proposer = try fused ?? factory.proposer(of: speculation?.method)
    verifier =
      switch speculation?.verification {
      case nil, .coupled: CoupledVerifier()
      case .standard: RejectionVerifier()
      case .synthetic(let acceptanceRate): SyntheticVerifier(acceptanceRate: acceptanceRate)
      }
  }

  /// What passes cost, measured here and now, unless an earlier start on such a machine found out.
  static func costs(
    of runner: any ModelRunner, rows: Int, _ configuration: EngineConfiguration
  ) throws -> PassCosts {
    guard let cache = configuration.weightCache, let key = runner.cacheKey else {
      return try PassCosts.measure(runner, rows: rows)
    }
    let set = configuration.instructionSet ?? .best
    let machine = Processor.name.filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
    let kind = "\(set.rawValue)-\(configuration.cacheFormat.rawValue)"
    let name = "costs-\(machine)-\(configuration.threads)-\(kind)-\(rows)"
    let known = cache.note(name, of: key, as: PassCosts.self)
    let costs = try PassCosts.measure(runner, rows: rows, known: known ?? PassCosts())
    if costs != known { cache.keep(costs, as: name, of: key) }
    return costs
  }

  /// The loop around them. It has the runner to itself, so this is called once.
  package consuming func makeLoop() -> DecodingLoop {
    DecodingLoop(
      runner: runner, tokenizer: target.tokenizer, proposer: proposer, verifier: verifier, window: window, costs: costs,
      sequences: configuration.sequences, rows: configuration.rows, sharesPrefixes: configuration.sharesPrefixes,
      blocks: blocks)
  }
}
