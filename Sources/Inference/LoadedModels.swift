package import Decoding
internal import PJRT
internal import PJRTTransformer
internal import Speculation
package import Tensor
package import Transformer

/// A target with any number of drafts beside it, loaded as a configuration says: what drafts are compared with.
package struct LoadedModels {
  /// A model on what computes it.
  package struct Loaded {
    package let directory: ModelDirectory
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
  /// The threads of the processor; the devices' limits are not this machine's.
  package let pool: WorkerPool?

  /// Loads the configuration's model, and `drafts` in place of its own draft.
  ///
  /// - Throws: what loading throws, and `VocabularyMismatch` for a draft that does not fit the target.
  package init(
    _ configuration: EngineConfiguration, drafts names: [String],
    progress: @Sendable (String, Double) -> Void = { _, _ in }
  ) throws {
    try configuration.validate()
    let directory = try ModelDirectory(configuration.model)
    let drafts = try names.map { try ModelDirectory($0) }
    for draft in drafts { try VocabularyAgreement.check(target: directory.tokenizer, draft: draft.tokenizer) }
    let pool = WorkerPool(threadCount: configuration.threads)
    let session = try configuration.session()
    func sizes(_ draft: ModelDirectory?) throws -> EngineSizes {
      try configuration.sizes(
        target: directory.configuration, draft: draft?.configuration, element: session?.element)
    }
    var fitting = try sizes(drafts.first)
    if session == nil { try configuration.fit(&fitting, target: directory, drafts: drafts, limits: MemoryLimit.all()) }
    func load(_ model: ModelDirectory, _ name: String, _ limits: RunnerLimits, rows: Int) throws -> Loaded {
      let runner = try model.loadRunner(configuration, limits: limits, pool: pool, session: session) {
        progress(name, $0)
      }
      return Loaded(directory: model, runner: runner, costs: try LoopParts.costs(of: runner, rows: rows, configuration))
    }
    target = try load(directory, "target", fitting.target, rows: fitting.decodingRows)
    let draftRows = max(configuration.sequences, DraftModelProposer.readingRows)
    self.drafts = try drafts.map { draft in
      let limits = try sizes(draft).draft ?? fitting.target
      return try load(draft, "draft", limits, rows: draftRows)
    }
    blocks = fitting.blocks
    quantization = session?.element.rawValue ?? configuration.quantization.rawValue
    kernels = session.map { "PJRT \($0.client.platform)" } ?? (configuration.instructionSet ?? .best).rawValue
    self.pool = session == nil ? pool : nil
  }
}
