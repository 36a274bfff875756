package import Decoding
internal import Speculation
internal import Tensor
package import Transformer

/// A target with any number of drafts beside it, loaded as a configuration says: what drafts are compared with.
package struct LoadedModels {
  /// A model on what computes it.
  package struct Loaded {
    package let directory: ModelSource
    package let runner: any ModelRunner
    /// Measured, of the passes that decoding makes.
    package let costs: PassCosts
  }

  package let target: Loaded
  package let drafts: [Loaded]
  /// KV blocks that the target may use; `nil` for as many as there are.
  package let blocks: Int?
  /// Format of the weights, and what computes them, as results name them.
  package let quantization, kernels: String

  /// Loads the configuration's model, and `drafts` in place of its own draft.
  ///
  /// - Throws: what loading throws, and `VocabularyMismatch` for a draft that does not fit the target.
  package init(
    _ configuration: EngineConfiguration, drafts names: [String],
    progress: @Sendable (String, Double) -> Void = { _, _ in }
  ) throws {
    try configuration.validate()
    let target = try ModelSource(configuration.model)
    let drafts = try names.map { try ModelSource($0) }
    for draft in drafts { try VocabularyAgreement.check(target: target.tokenizer, draft: draft.tokenizer) }
    try self.init(configuration, target: target, drafts: drafts, on: configuration.openBackend(), progress: progress)
  }

  private init(
    _ configuration: EngineConfiguration, target directory: ModelSource, drafts: [ModelSource],
    on backend: some Backend, progress: @Sendable (String, Double) -> Void
  ) throws {
    func sizes(_ draft: ModelSource?) throws -> EngineSizes {
      try configuration.sizes(target: directory.configuration, draft: draft?.configuration, on: backend)
    }
    var fitting = try sizes(drafts.first)
    if backend.usesOwnMemory {
      try configuration.fit(&fitting, target: directory, drafts: drafts, on: backend, limits: MemoryLimit.all())
    }
    func load(_ model: ModelSource, _ name: String, _ limits: RunnerLimits, rows: Int) throws -> Loaded {
      let runner = try backend.load(model, limits: limits) { progress(name, $0) }
      return Loaded(
        directory: model, runner: runner, costs: try EngineAssembly.costs(of: runner, rows: rows, configuration))
    }
    target = try load(directory, "target", fitting.target, rows: fitting.decodingRows)
    let draftRows = max(configuration.sequences, DraftModelProposer.readingRows)
    self.drafts = try drafts.map { draft in
      var limits = try sizes(draft).draft ?? fitting.target
      // Parallel to the target's blocks, as far as memory allowed those.
      limits.blocks = fitting.draft?.blocks
      return try load(draft, "draft", limits, rows: draftRows)
    }
    blocks = fitting.blocks
    (quantization, kernels) = (backend.formatName, backend.kernelsName)
  }
}
