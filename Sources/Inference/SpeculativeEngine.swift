public import Decoding
internal import ModelFiles
internal import PJRTTransformer
internal import Speculation
internal import Tensor
public import Transformer

/// A target with its proposer, loaded and ready to run.
public final class SpeculativeEngine: Sendable {
  /// The target, opened.
  public let target: ModelDirectory
  /// The draft, opened, when there is one.
  public let draft: ModelDirectory?
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
    wrapping wrap: LoopParts.RunnerWrapper, progress: @Sendable (String, Double) -> Void = { _, _ in }
  ) throws {
    let parts = try LoopParts(configuration, wrapping: wrap, progress: progress)
    (target, draft, memory, window) = (parts.target, parts.draft, parts.memory, parts.window)
    engine = Engine(parts.makeLoop(), auditShare: configuration.auditShare, mismatch: mismatch)
  }
}

/// What a decoding loop is made of.
package struct LoopParts {
  package let target: ModelDirectory
  package let draft: ModelDirectory?
  package let memory: [RunnerMemory]
  package let window: Int
  private let configuration: EngineConfiguration
  private let runner: any ModelRunner
  private let proposer: any Proposer
  private let verifier: any Verifier
  private let fused: (any FusedSpeculator)?
  private var costs = PassCosts()
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
    self.configuration = configuration
    window = configuration.speculation?.window ?? 0
    target = try ModelDirectory(configuration.model)
    // Refuse a draft that does not fit before minutes go into packing the target.
    draft = try configuration.speculation?.draftModel.map { try ModelDirectory($0) }
    if let draft { try VocabularyAgreement.check(target: target.tokenizer, draft: draft.tokenizer) }

    let pool = WorkerPool(threadCount: configuration.threads)
    let session = try configuration.session()
    var sizes = try configuration.sizes(
      target: target.configuration, draft: draft?.configuration, element: session?.element)
    if session == nil {
      try configuration.fit(&sizes, target: target, drafts: [draft].compactMap(\.self), limits: MemoryLimit.all())
    }
    blocks = sizes.blocks
    if let session, session.options.fusesSpeculation {
      try session.checkSpeculation(window: window, sequences: sizes.target.sequences)
    }
    let bare = try target.loadRunner(configuration, limits: sizes.target, pool: pool, session: session) {
      progress("target", $0)
    }
    let speculation = configuration.speculation
    let isAutomatic = if case .automatic = speculation?.method { true } else { false }
    let isStandard = speculation?.verification == .standard
    runner = wrap(bare, true)
    if speculation != nil { costs = try Self.costs(of: bare, rows: sizes.decodingRows, configuration) }
    var draftProposer: DraftModelProposer?
    var fused: (any FusedSpeculator)?
    if speculation == nil, let target = bare as? PJRTModelRunner { fused = DeviceDecoder(target) }
    var memory = [runner.memory]
    if let draft, let limits = sizes.draft {
      let draftRunner = try draft.loadRunner(configuration, limits: limits, pool: pool, session: session) {
        progress("draft", $0)
      }
      let rows = max(configuration.sequences, DraftModelProposer.readingRows)
      let proposer = DraftModelProposer(
        runner: wrap(draftRunner, false), vocabularySize: runner.vocabularySize,
        sampling: isStandard ? .independent : .coupled,
        costs: isAutomatic ? try Self.costs(of: draftRunner, rows: rows, configuration) : PassCosts())
      if session?.options.fusesSpeculation == true, let target = bare as? PJRTModelRunner,
        let draft = draftRunner as? PJRTModelRunner
      {
        fused = FusedDraftModel(
          try PJRTSpeculator(target: target, draft: draft, window: window), proposer: proposer,
          vocabularySize: target.vocabularySize)
      }
      draftProposer = proposer
      memory.append(draftRunner.memory)
    }
    self.memory = memory
    self.fused = fused
    proposer =
      switch speculation?.method {
      case nil: NoProposer()
      case .ngram(let lengths): NGramProposer(lengths: lengths)
      case .suffix: SuffixProposer(settings: speculation?.suffix ?? SuffixProposer.Settings())
      case .draftModel: draftProposer ?? NoProposer()
      case .automatic:
        AdaptiveProposer(
          free: [SuffixProposer(settings: speculation?.suffix ?? SuffixProposer.Settings())], draft: draftProposer)
      }
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
      runner: runner, tokenizer: target.tokenizer, proposer: proposer, verifier: verifier, fused: fused, window: window,
      costs: costs,
      sequences: configuration.sequences, rows: configuration.rows, sharesPrefixes: configuration.sharesPrefixes,
      blocks: blocks)
  }
}
