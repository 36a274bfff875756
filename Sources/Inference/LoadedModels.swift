package import Decoding
internal import ModelFiles
internal import PJRTTransformer
package import Speculation
internal import Tensor
package import Transformer

/// A target with any number of drafts beside it, loaded as a configuration says.
package struct LoadedModels {
  /// A model on what computes it.
  package struct Loaded<Source> {
    package let source: Source
    package let runner: any ModelRunner
    /// Of the passes that decoding makes, measured where somebody weighs them: speculation the target's, `auto` the drafts'.
    package let costs: PassCosts
  }

  package let target: Loaded<ModelSource>
  package let drafts: [Loaded<Speculator>]
  /// By place among the drafts: those that are heads.
  private let heads: [Int: any HeadRunner]
  /// KV blocks that the target may use; `nil` for as many as there are.
  package let blocks: Int?
  /// Format of the weights, and what computes them, as results name them.
  package let quantization, kernels: String
  /// To be called on the thread that will run the models.
  package let prepareThread: @Sendable () -> Void
  /// The target and the first draft as one, where what computes them can run both in one go.
  let join: (any DraftSource) throws -> FusedDraftModel?

  /// Loads the configuration's model and its draft, or `drafts` in place of that.
  ///
  /// - Throws: what loading throws, and `VocabularyMismatch` for a draft that does not fit the target.
  package init(
    _ configuration: EngineConfiguration, drafts: [String]? = nil,
    progress: @Sendable (String, Double) -> Void = { _, _ in }
  ) throws {
    // Refuse a draft that does not fit before minutes go into packing the target.
    let sources = try configuration.openSources(drafts: drafts)
    try self.init(configuration, sources, on: configuration.openBackend(), progress: progress)
  }

  private init<Device: Backend>(
    _ configuration: EngineConfiguration, _ sources: (target: ModelSource, drafts: [Speculator]), on backend: Device,
    progress: @Sendable (String, Double) -> Void
  ) throws {
    func sizes(_ draft: Speculator?) throws -> EngineSizes {
      try configuration.sizes(target: sources.target.configuration, draft: draft, on: backend)
    }
    var fitting = try sizes(sources.drafts.first)
    if backend.usesOwnMemory {
      try configuration.fit(
        &fitting, target: sources.target, drafts: sources.drafts, on: backend, limits: MemoryLimit.all())
    }
    let speculation = configuration.speculation
    let window = speculation?.window ?? 0
    try backend.check(window: window, sequences: fitting.target.sequences)
    func costs(_ runner: any ModelRunner, rows: Int, areWeighed: Bool) throws -> PassCosts {
      areWeighed ? try configuration.costs(of: runner, rows: rows) : PassCosts()
    }
    prepareThread = backend.prepareThread
    let targetRunner = try backend.load(sources.target, limits: fitting.target) { progress("target", $0) }
    target = Loaded(
      source: sources.target, runner: targetRunner,
      costs: try costs(targetRunner, rows: fitting.decodingRows, areWeighed: speculation != nil))
    // What the first draft makes of a proposer over it.
    var join: ((any DraftSource) throws -> FusedDraftModel?)?
    var heads: [Int: any HeadRunner] = [:]
    drafts = try sources.drafts.enumerated().map { index, draft in
      var limits = try sizes(draft).draft ?? fitting.target
      // Parallel to the target's blocks, as far as memory allowed those.
      limits.blocks = fitting.draft?.blocks
      if limits.positions < fitting.target.positions {
        configuration.report(
          "'\(draft.path)' was made for \(limits.positions) positions: sequences that grow longer go on without it")
      }
      let runner: any ModelRunner
      switch draft {
      case .draftModel(let model):
        let loaded = try backend.load(model, limits: limits) { progress("draft", $0) }
        join =
          join ?? { proposer in
            guard let proposer = proposer as? DraftModelProposer else { return nil }
            return try backend.joined(target: targetRunner, draft: loaded, proposer: proposer, window: window)
          }
        runner = loaded
      case .head(let head):
        let loaded = try backend.load(head, on: (sources.target, targetRunner), limits: limits) {
          progress("head", $0)
        }
        join =
          join ?? { proposer in
            guard let proposer = proposer as? HeadProposer else { return nil }
            return try backend.joined(target: targetRunner, head: loaded, proposer: proposer, window: window)
          }
        let headRunner = backend.runner(of: loaded)
        heads[index] = headRunner
        runner = headRunner
      }
      if case .head(let head) = draft, let most = head.configuration.block?.most, window > most,
        speculation?.method != .automatic
      {
        configuration.report("'\(draft.path)' proposes at most \(most) tokens at a time, and not \(window)")
      }
      let rows = max(limits.logitRows, DraftModelProposer.readingRows)
      return Loaded(
        source: draft, runner: runner,
        costs: try costs(runner, rows: rows, areWeighed: speculation?.method == .automatic))
    }
    self.heads = heads
    self.join = join ?? { _ in nil }
    blocks = fitting.blocks
    (quantization, kernels) = (backend.formatName, backend.kernelsName)
  }

  /// A proposer over a draft.
  ///
  /// - Parameters:
  ///   - index: the draft's place.
  ///   - costs: what its passes cost, where that is weighed.
  ///   - wrap: puts something around its runner.
  package func proposer(
    over index: Int, sampling: DraftModelProposer.Sampling = .coupled, costs: PassCosts,
    wrapping wrap: (any ModelRunner) -> any ModelRunner
  ) -> any DraftSource {
    let runner = wrap(drafts[index].runner)
    if let head = heads[index] {
      let origin = TokenOrigin(rawValue: drafts[index].source.method.rawValue) ?? .draftModel
      return HeadProposer(head, runner: runner, origin: origin, sampling: sampling, costs: costs)
    }
    return DraftModelProposer(
      runner: runner, vocabularySize: target.runner.vocabularySize, sampling: sampling, costs: costs)
  }
}

extension EngineConfiguration {
  /// Opens the model and its draft, or `drafts` in place of that, when the sizes are right and the vocabularies agree.
  func openSources(drafts: [String]? = nil) throws -> (target: ModelSource, drafts: [Speculator]) {
    try validate()
    let target = try ModelSource(model, for: task)
    if target.task != .generate {
      guard speculation == nil else {
        throw EngineConfigurationError(
          description:
            "'\(target.path)' is to \(target.task.rawValue) (--task), and nothing is speculated on there; expected no draft and no --speculative-config"
        )
      }
      if target.task == .embed, case .pjrt = backend {
        throw EngineConfigurationError(
          description: "--task embed is for --backend cpu; on a PJRT plugin hidden states cannot be had")
      }
    }
    let names = drafts ?? [speculation?.draftModel].compactMap(\.self)
    let drafts =
      try names.isEmpty && speculation?.method.need == .carriedHead
      ? [Speculator(carriedBy: target)] : names.map { try Speculator($0, for: target) }
    if let method = speculation?.method, method.need == .head,
      let other = drafts.first(where: { $0.method != method })
    {
      let what =
        switch other {
        case .draftModel: "a model of its own and no head"
        case .head(let head): head.configuration.kind.description
        }
      throw EngineConfigurationError(
        description: "'\(other.path)' is \(what); the method \(other.method.rawValue) proposes with it")
    }
    if case .pjrt = backend {
      for case .head(let head) in drafts {
        if let reason = HeadPlan.refusal(of: head) { throw EngineConfigurationError(description: reason) }
      }
    }
    return (target, drafts)
  }

  /// What passes cost, measured here and now, unless an earlier start on such a machine found out.
  fileprivate func costs(of runner: any ModelRunner, rows: Int) throws -> PassCosts {
    guard let cache = weightCache, let key = runner.cacheKey else { return try PassCosts.measure(runner, rows: rows) }
    let machine = Processor.name.filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
    let kind = "\((instructionSet ?? .best).rawValue)-\(cacheFormat.rawValue)"
    let name = "costs-\(machine)-\(threads)-\(kind)-\(rows)"
    let known = cache.note(name, of: key, as: PassCosts.self)
    let costs = try PassCosts.measure(runner, rows: rows, known: known ?? PassCosts())
    if costs != known { cache.keep(costs, as: name, of: key) }
    return costs
  }
}
