internal import Decoding
package import Inference
package import Measurement
internal import ModelFiles
package import Speculation
internal import Synchronization
internal import Tensor
package import Tokenization
internal import Transformer

/// One prompt of the workload that tuning serves.
package struct TuningPrompt: Sendable, Equatable {
  /// Its kind.
  package var category: String
  package var tokens: [TokenID]
  /// Most tokens of the answer.
  package var outputTokens: Int
  /// Whether the answer goes on to that length in any case.
  package var ignoresEndOfText: Bool
  /// 0 is greedy.
  package var temperature: Double

  package init(
    category: String, tokens: [TokenID], outputTokens: Int, ignoresEndOfText: Bool = false, temperature: Double = 0
  ) {
    (self.category, self.tokens, self.outputTokens) = (category, tokens, outputTokens)
    (self.ignoresEndOfText, self.temperature) = (ignoresEndOfText, temperature)
  }
}

/// A target with every candidate draft beside it, behind one engine.
package final class TuningEngine: Sendable {
  /// A model as results describe it.
  struct Model: Sendable {
    let configuration: ModelConfiguration
    let memory: RunnerMemory
    /// Whether its products are of integers.
    let isQuantised: Bool
  }

  package let target: ModelSource
  /// The target, then the drafts.
  let models: [Model]
  /// How each draft proposes.
  let draftMethods: [SpeculationMethod]
  /// `nil` on devices, whose limits this machine's are not.
  let ceilings: MachineCeilings.Sample?
  /// Format of the weights, and what computes them, as results name them.
  let quantization, kernels: String
  package let limits: ServingSimulation.Limits
  private let engine: Engine
  private let log = StepLog()
  private let selection = RunSwitch()
  private let submitted = Mutex(0)

  /// Loads the models and starts the engine.
  ///
  /// - Parameters:
  ///   - configuration: sizes, formats, memory and caches; how it speculates is not looked at.
  ///   - window: the largest.
  /// - Throws: what loading throws, and `VocabularyMismatch` for a draft that does not fit the target.
  package init(
    _ configuration: EngineConfiguration, drafts: [String], concurrency: Int, window: Int,
    progress: @Sendable (String, Double) -> Void
  ) throws {
    var configuration = configuration
    configuration.sequences = concurrency
    // Every run is to read its own prompts.
    configuration.sharesPrefixes = false
    configuration.speculation = try SpeculativeConfiguration(
      method: .automatic, model: drafts.first, window: window)
    let loaded = try LoadedModels(configuration, drafts: drafts) { progress("Loading \($0)", $1) }
    target = loaded.target.source
    (quantization, kernels) = (loaded.quantization, loaded.kernels)
    ceilings = configuration.backend == .cpu ? try Self.ceilings(configuration) : nil
    func model(_ configuration: ModelConfiguration, _ runner: any ModelRunner) -> Model {
      Model(
        configuration: configuration, memory: runner.memory,
        isQuantised: (runner as? CPUModelRunner)?.isQuantised ?? false)
    }
    draftMethods = loaded.drafts.map(\.source.method)
    models =
      [model(target.configuration, loaded.target.runner)]
      + loaded.drafts.map { model($0.source.configuration, $0.runner) }
    let capacity = loaded.target.runner.capacity
    limits = ServingSimulation.Limits(
      rows: min(configuration.rows, capacity.rows), logitRows: capacity.logitRows, concurrency: concurrency,
      blocks: min(capacity.blockCount, loaded.blocks ?? .max))
    let log = log
    // Two proposers over each draft, which never serve in one run: one that always proposes a full window, and one that
    // `auto` weighs by its costs.
    func proposers(areWeighed: Bool) -> [any DraftSource] {
      loaded.drafts.enumerated().map { index, draft in
        loaded.proposer(over: index, costs: areWeighed ? draft.costs : PassCosts()) {
          TimedRunner($0, isTarget: false, log: log)
        }
      }
    }
    let proposer = CandidateProposer(
      drafts: proposers(areWeighed: false), measured: proposers(areWeighed: true), selection: selection, log: log)
    engine = Engine(
      DecodingLoop(
        runner: TimedRunner(loaded.target.runner, isTarget: true, log: log), tokenizer: target.tokenizer,
        proposer: proposer, verifier: CoupledVerifier(), window: window, costs: loaded.target.costs,
        sequences: concurrency, rows: configuration.rows, blocks: loaded.blocks), preparing: loaded.prepareThread)
  }

  /// vLLM's defaults but for past answers: a workload that is run again and again would find its own.
  package static var suffixSettings: SuffixProposer.Settings {
    var settings = SuffixProposer.Settings()
    settings.cachedRequests = 0
    return settings
  }

  /// Prompt lookup as the configuration `{"method": "ngram", "prompt_lookup_min": 2, "prompt_lookup_max": 5}` has it.
  package static let lookupLengths = 2...5
  package static var lookup: NGramProposer { NGramProposer(lengths: lookupLengths) }
  package static var suffix: SuffixProposer { SuffixProposer(settings: suffixSettings) }

  /// Serves `count` requests, the prompts in turn, `concurrency` at a time.
  ///
  /// - Returns: the run, and what calibration learnt of each of its requests.
  /// - Throws: `RequestError` for a prompt that does not fit, `MeasurementFailure` when the engine gives up on one.
  package func run(
    _ prompts: [TuningPrompt], count: Int, speculating: Speculating, window: Int, concurrency: Int, seed: UInt64
  ) async throws -> (run: EngineRun, outcomes: [Int: DraftOutcomes]) {
    let requests = (0..<count).map { index in
      request(
        prompts[index % prompts.count], seed: UInt64(index % prompts.count), window: speculating == .plain ? 0 : window)
    }
    selection.begin(speculating, seed: seed)
    let firstNumber = submitted.withLock { submitted in
      submitted += count
      return submitted - count + 1
    }
    let run = try await EngineRun(requests, on: engine, concurrency: concurrency, log: log)
    return (run, [Int: DraftOutcomes](uniqueKeysWithValues: selection.outcomes.map { ($0 - firstNumber, $1) }))
  }

  private func request(_ prompt: TuningPrompt, seed: UInt64, window: Int) -> GenerationRequest {
    var request = GenerationRequest(prompt: prompt.tokens)
    request.stopping.maximumTokens = prompt.outputTokens
    request.stopping.endOfTextTokens = target.endOfTextTokens
    request.stopping.ignoresEndOfText = prompt.ignoresEndOfText
    request.sampling.temperature = prompt.temperature
    request.sampling.seed = seed
    request.window = window
    return request
  }

  private static func ceilings(_ configuration: EngineConfiguration) throws -> MachineCeilings.Sample {
    let ceilings = try MachineCeilings(
      pool: WorkerPool(threadCount: configuration.threads), instructionSet: configuration.instructionSet)
    return ForwardReport.Ceilings((0..<3).map { _ in ceilings.measure() }).medians
  }
}
