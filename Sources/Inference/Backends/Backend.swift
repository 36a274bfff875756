internal import Decoding
package import ModelFiles
internal import PJRT
package import PJRTTransformer
internal import Speculation
package import Tensor
package import Transformer

/// What models run on: the processor, or the devices of a plugin. A new one is a type in this folder.
protocol Backend {
  associatedtype Runner: ModelRunner
  /// A head on such a runner; `runner(of:)` makes passes of it.
  associatedtype LoadedHead

  /// Whether weights and K/V memory are in the process's own memory, whose limits then bound them.
  var usesOwnMemory: Bool { get }
  /// What weights become, in results.
  var formatName: String { get }
  /// What computes, in results.
  var kernelsName: String { get }
  /// Called on the thread that will run the models, before it does.
  var prepareThread: @Sendable () -> Void { get }
  /// Whether layers with a window keep the keys and values of those positions alone that rows still see.
  var freesWindows: Bool { get }
  /// Bytes of one layer's keys and values in one KV block.
  func blockByteCount(of model: ModelConfiguration) -> Int
  /// Refuses what it cannot do before minutes go into loading weights.
  func check(window: Int, sequences: Int) throws
  /// Loads the model of a shape from its tensors.
  ///
  /// - Parameter progress: called with the share of the weights that is loaded, 0 to 1.
  func load(
    _ checkpoint: Checkpoint, _ model: ModelConfiguration, limits: RunnerLimits, progress: (Double) -> Void
  ) throws -> Runner
  /// Loads a head on `target`.
  func load(
    _ head: Head, on target: (files: ModelSource, runner: Runner), limits: RunnerLimits, progress: (Double) -> Void
  ) throws -> LoadedHead
  func runner(of head: LoadedHead) -> any HeadRunner
  /// The target and a draft as one, where it can run both in one go; it is the target's runner and the proposer then.
  func joined(
    target: Runner, draft: Runner, proposer: DraftModelProposer, window: Int
  ) throws -> FusedDraftModel?
  /// The same with a head.
  func joined(
    target: Runner, head: LoadedHead, proposer: HeadProposer, window: Int
  ) throws -> FusedDraftModel?
}

extension Backend {
  func load(_ model: ModelSource, limits: RunnerLimits, progress: (Double) -> Void) throws -> Runner {
    try load(model.checkpoint, model.configuration, limits: limits, progress: progress)
  }
  func check(window: Int, sequences: Int) {}
  var prepareThread: @Sendable () -> Void { {} }
  func joined(target: Runner, draft: Runner, proposer: DraftModelProposer, window: Int) -> FusedDraftModel? { nil }
  func joined(target: Runner, head: LoadedHead, proposer: HeadProposer, window: Int) -> FusedDraftModel? { nil }
}

extension EngineConfiguration {
  /// What the configuration's models run on, opened.
  func openBackend() throws -> any Backend {
    if let devices = try PJRTBackend(self) { return devices }
    return CPUBackend(self)
  }
}

/// This machine's processor.
package struct CPUBackend: Backend {
  package let configuration: EngineConfiguration
  /// The threads to compute on.
  package let pool: WorkerPool

  package init(_ configuration: EngineConfiguration) {
    self.configuration = configuration
    pool = WorkerPool(threadCount: configuration.threads, affinity: configuration.affinity)
  }

  package var prepareThread: @Sendable () -> Void { { [pool] in pool.bindCaller() } }

  var usesOwnMemory: Bool { true }
  var freesWindows: Bool { true }
  var formatName: String { configuration.quantization.rawValue }
  var kernelsName: String { (configuration.instructionSet ?? .best).rawValue }

  func blockByteCount(of model: ModelConfiguration) -> Int {
    KVStorage.blockByteCount(
      kvHeadCount: model.kvHeadCount, headSize: model.headSize, format: configuration.cacheFormat)
  }

  package func load(
    _ checkpoint: Checkpoint, _ model: ModelConfiguration, limits: RunnerLimits, progress: (Double) -> Void
  ) throws -> CPUModelRunner {
    try CPUModelRunner(
      checkpoint: checkpoint, configuration: model, quantization: configuration.quantization, limits: limits,
      pool: pool, instructionSet: configuration.instructionSet, cacheFormat: configuration.cacheFormat,
      cache: configuration.weightCache, progress: progress)
  }

  /// Random weights in the shape of a model, to measure what it costs.
  package func load(
    randomWeightsFor model: ModelConfiguration, limits: RunnerLimits, progress: (Double) -> Void
  ) throws -> CPUModelRunner {
    try CPUModelRunner(
      randomWeightsFor: model, quantization: configuration.quantization, limits: limits, pool: pool,
      instructionSet: configuration.instructionSet, cacheFormat: configuration.cacheFormat, progress: progress)
  }

  func runner(of head: any HeadRunner) -> any HeadRunner { head }

  func load(
    _ head: Head, on target: (files: ModelSource, runner: CPUModelRunner), limits: RunnerLimits,
    progress: (Double) -> Void
  ) throws -> any HeadRunner {
    let files = (target.files.configuration, target.files.checkpoint)
    if head.configuration.block != nil {
      return try CPUBlockHeadRunner(
        head, target: files, quantization: configuration.quantization, limits: limits, pool: pool,
        instructionSet: configuration.instructionSet, cacheFormat: configuration.cacheFormat,
        cache: configuration.weightCache, progress: progress)
    }
    return try CPUHeadRunner(
      head, target: files, quantization: configuration.quantization, limits: limits, pool: pool,
      instructionSet: configuration.instructionSet, cacheFormat: configuration.cacheFormat,
      cache: configuration.weightCache, progress: progress)
  }
}

/// The devices of a PJRT plugin.
package struct PJRTBackend: Backend {
  package let session: PJRTSession

  /// The devices that `configuration` names, with the cache of programs that packed weights have theirs beside; `nil` where
  /// it names the processor.
  package init?(_ configuration: EngineConfiguration) throws {
    guard case .pjrt(let options) = configuration.backend else { return nil }
    session = try PJRTSession(
      options, cache: configuration.weightCache.map { ProgramCache(folder: $0.folder, report: $0.report) })
  }

  var usesOwnMemory: Bool { false }
  var freesWindows: Bool { false }
  var formatName: String { session.element.rawValue }
  var kernelsName: String { "PJRT \(session.client.platform)" }

  func blockByteCount(of model: ModelConfiguration) -> Int {
    2 * model.kvHeadCount * model.headSize * KVStorage.blockSize * session.element.byteCount
  }

  func check(window: Int, sequences: Int) throws {
    guard session.options.fusesSpeculation else { return }
    try session.checkSpeculation(window: window, sequences: sequences)
  }

  package func load(
    _ checkpoint: Checkpoint, _ model: ModelConfiguration, limits: RunnerLimits, progress: (Double) -> Void
  ) throws -> PJRTModelRunner {
    try PJRTModelRunner(
      session: session, checkpoint: checkpoint, configuration: model, limits: limits, progress: progress)
  }

  func load(
    _ head: Head, on target: (files: ModelSource, runner: PJRTModelRunner), limits: RunnerLimits,
    progress: (Double) -> Void
  ) throws -> PJRTHeadRunner {
    try PJRTHeadRunner(head, on: target.runner, limits: limits, progress: progress)
  }

  func runner(of head: PJRTHeadRunner) -> any HeadRunner { head }

  func joined(
    target: PJRTModelRunner, draft: PJRTModelRunner, proposer: DraftModelProposer, window: Int
  ) throws -> FusedDraftModel? {
    guard session.options.fusesSpeculation else { return nil }
    return FusedDraftModel(
      try PJRTSpeculator(target: target, draft: .model(draft), window: window), target: target, proposer: proposer)
  }

  func joined(
    target: PJRTModelRunner, head: PJRTHeadRunner, proposer: HeadProposer, window: Int
  ) throws -> FusedDraftModel? {
    guard session.options.fusesSpeculation else { return nil }
    return try FusedDraftModel(
      PJRTSpeculator(target: target, draft: .head(head), window: window), target: target, head: proposer)
  }
}
