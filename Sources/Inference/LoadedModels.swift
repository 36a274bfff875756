package import Decoding
internal import Speculation
internal import Tensor
package import Transformer

/// A target with any number of drafts beside it, loaded as a configuration says.
package struct LoadedModels {
  /// A model on what computes it.
  package struct Loaded {
    package let source: ModelSource
    package let runner: any ModelRunner
    /// Of the passes that decoding makes, measured where somebody weighs them: speculation the target's, `auto` the drafts'.
    package let costs: PassCosts
  }

  package let target: Loaded
  package let drafts: [Loaded]
  /// KV blocks that the target may use; `nil` for as many as there are.
  package let blocks: Int?
  /// Format of the weights, and what computes them, as results name them.
  package let quantization, kernels: String
  /// The target and the first draft as one, where what computes them can run both in one go.
  let join: (DraftModelProposer) throws -> FusedDraftModel?

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
    _ configuration: EngineConfiguration, _ sources: (target: ModelSource, drafts: [ModelSource]), on backend: Device,
    progress: @Sendable (String, Double) -> Void
  ) throws {
    func sizes(_ draft: ModelSource?) throws -> EngineSizes {
      try configuration.sizes(target: sources.target.configuration, draft: draft?.configuration, on: backend)
    }
    var fitting = try sizes(sources.drafts.first)
    if backend.usesOwnMemory {
      try configuration.fit(
        &fitting, target: sources.target, drafts: sources.drafts, on: backend, limits: MemoryLimit.all())
    }
    let speculation = configuration.speculation
    let window = speculation?.window ?? 0
    try backend.check(window: window, sequences: fitting.target.sequences)
    func costs(_ runner: Device.Runner, rows: Int, areWeighed: Bool) throws -> PassCosts {
      areWeighed ? try configuration.costs(of: runner, rows: rows) : PassCosts()
    }
    let runner = try backend.load(sources.target, limits: fitting.target) { progress("target", $0) }
    target = Loaded(
      source: sources.target, runner: runner,
      costs: try costs(runner, rows: fitting.decodingRows, areWeighed: speculation != nil))
    var draftRunners: [Device.Runner] = []
    drafts = try sources.drafts.map { draft in
      var limits = try sizes(draft).draft ?? fitting.target
      // Parallel to the target's blocks, as far as memory allowed those.
      limits.blocks = fitting.draft?.blocks
      let runner = try backend.load(draft, limits: limits) { progress("draft", $0) }
      draftRunners.append(runner)
      let rows = max(configuration.sequences, DraftModelProposer.readingRows)
      return Loaded(
        source: draft, runner: runner,
        costs: try costs(runner, rows: rows, areWeighed: speculation?.method == .automatic))
    }
    join = { [draftRunners] proposer in
      try draftRunners.first.flatMap { draft in
        try backend.joined(target: runner, draft: draft, proposer: proposer, window: window)
      }
    }
    blocks = fitting.blocks
    (quantization, kernels) = (backend.formatName, backend.kernelsName)
  }
}

extension EngineConfiguration {
  /// Opens the model and its draft, or `drafts` in place of that, when the sizes are right and the vocabularies agree.
  func openSources(drafts: [String]? = nil) throws -> (target: ModelSource, drafts: [ModelSource]) {
    try validate()
    let target = try ModelSource(model)
    let drafts = try (drafts ?? [speculation?.draftModel].compactMap(\.self)).map { try ModelSource($0) }
    for draft in drafts { try VocabularyAgreement.check(target: target.tokenizer, draft: draft.tokenizer) }
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
