public import Decoding
internal import ModelFiles
internal import Speculation
internal import Tensor
public import Transformer

/// A target with its proposer, loaded and ready to run.
public final class SpeculativeEngine: Sendable {
  /// The target, opened.
  public let target: ModelSource
  /// The draft model or the head, opened, when there is one.
  public let draft: Speculator?
  /// The methods that requests may name; none without speculation.
  public let methods: [SpeculationMethod]
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
    methods = configuration.speculation?.method.choices(loaded: draft?.method) ?? []
    let prepare = parts.prepareThread
    engine = Engine(
      parts.makeLoop(), auditShare: configuration.auditShare, mismatch: mismatch, preparing: prepare)
  }
}

/// What a decoding loop is made of: models from files, loaded, and who proposes and verifies.
package struct EngineAssembly {
  package let target: ModelSource
  package let draft: Speculator?
  package let memory: [RunnerMemory]
  package let window: Int
  private let configuration: EngineConfiguration
  private let runner: any ModelRunner
  private let proposer: any Proposer
  private let verifier: any Verifier
  private let costs: PassCosts
  /// KV blocks that the target may use.
  private let blocks: Int?
  /// To be called on the thread that runs the loop.
  package let prepareThread: @Sendable () -> Void

  /// Puts something around the target's runner, or a draft's, that sees its passes.
  package typealias RunnerWrapper = @Sendable (_ runner: any ModelRunner, _ isTarget: Bool) -> any ModelRunner

  /// Loads the models that `configuration` names.
  package init(
    _ configuration: EngineConfiguration, wrapping wrap: RunnerWrapper = { runner, _ in runner },
    progress: @Sendable (String, Double) -> Void = { _, _ in }
  ) throws {
    let models = try LoadedModels(configuration, progress: progress)
    self.configuration = configuration
    (target, draft) = (models.target.source, models.drafts.first?.source)
    memory = [models.target.runner.memory] + models.drafts.map(\.runner.memory)
    (costs, blocks, prepareThread) = (models.target.costs, models.blocks, models.prepareThread)
    let speculation = configuration.speculation
    window = speculation?.window ?? 0
    var factory = ProposerFactory()
    if let speculation { (factory.lookupLengths, factory.suffix) = (speculation.lookupLengths, speculation.suffix) }
    factory.draft = models.drafts.first.map { draft in
      models.proposer(
        over: 0, sampling: speculation?.verification == .standard ? .independent : .coupled, costs: draft.costs,
        wrapping: { wrap($0, false) })
    }
    let fused = try factory.draft.flatMap(models.join)
    runner = wrap(fused ?? models.target.runner, true)
    let proposer = try fused ?? factory.proposer(of: Self.method(speculation, draft))
    let source = target
    self.proposer = try configuration.recording.map { try RecordingProposer(proposer, $0, of: source) } ?? proposer
    verifier =
      switch speculation?.verification {
      case nil, .coupled: CoupledVerifier()
      case .standard: RejectionVerifier()
      case .synthetic(let acceptanceRate): SyntheticVerifier(acceptanceRate: acceptanceRate)
      }
  }

  /// The configuration's method, where a head in a draft model's place proposes as heads do.
  private static func method(_ speculation: SpeculativeConfiguration?, _ draft: Speculator?) -> SpeculationMethod? {
    speculation?.method == .draftModel ? draft?.method : speculation?.method
  }

  /// The loop around them. It has the runner to itself, so this is called once.
  package consuming func makeLoop() -> DecodingLoop {
    DecodingLoop(
      runner: runner, tokenizer: target.tokenizer, proposer: proposer, verifier: verifier, window: window, costs: costs,
      sequences: configuration.sequences, rows: configuration.rows, sharesPrefixes: configuration.sharesPrefixes,
      blocks: blocks)
  }
}
