package import Decoding
package import Inference
internal import ModelFiles
internal import PJRT
internal import PJRTTransformer
package import Speculation
internal import Synchronization
package import Tensor
package import Tokenization
package import Transformer

/// What to load for tuning.
package struct TuningModels: Sendable {
  /// The target: a directory, or a name in the Hugging Face cache.
  package var target: String
  /// Candidate drafts, likewise.
  package var drafts: [String]
  /// How matrices are kept in memory.
  package var quantization = Quantization.file
  /// Longest sequence; by default the model's own limit, at most 4096.
  package var maximumLength: Int?
  /// Most rows in one pass.
  package var rows = 256
  /// Threads to compute on.
  package var threads = WorkerPool.defaultThreadCount
  /// Kernels; the best that the machine has when `nil`.
  package var instructionSet: InstructionSet?
  /// How keys and values are kept.
  package var cacheFormat = KVCacheFormat.float16
  /// What computes; on devices format, threads and kernels say nothing.
  package var backend = EngineConfiguration.BackendChoice.cpu
  /// Where compiled programs are kept.
  package var programCache: WeightCache?

  /// A target and its candidates.
  package init(target: String, drafts: [String]) {
    self.target = target
    self.drafts = drafts
  }
}

/// One prompt of the workload that tuning serves.
package struct TuningPrompt: Sendable, Equatable {
  /// Its kind.
  package var category: String
  /// Token ids.
  package var tokens: [TokenID]
  /// Most tokens of the answer.
  package var outputTokens: Int
  /// Whether the answer goes on to that length in any case.
  package var ignoresEndOfText: Bool
  /// 0 is greedy.
  package var temperature: Double

  /// A prompt.
  package init(
    category: String, tokens: [TokenID], outputTokens: Int, ignoresEndOfText: Bool = false, temperature: Double = 0
  ) {
    self.category = category
    self.tokens = tokens
    self.outputTokens = outputTokens
    self.ignoresEndOfText = ignoresEndOfText
    self.temperature = temperature
  }
}

/// A target with every candidate draft beside it, behind one engine.
package final class TuningEngine: Sendable {
  /// One run over the workload.
  package struct Run: Sendable {
    package var seconds = 0.0
    package var outputs: [[TokenID]] = []
    package var firstTokenSeconds: [Double] = []
    package var perTokenSeconds: [Double] = []
    package var speculation = SpeculationCounts()
    package var steps: [StepSample] = []
    /// By place among the run's requests.
    package var outcomes: [Int: DraftOutcomes] = [:]
    package var tokens: Int { outputs.reduce(0) { $0 + $1.count } }
    package var tokensPerSecond: Double { seconds > 0 ? Double(tokens) / seconds : 0 }
  }

  package let target: ModelDirectory
  package let drafts: [ModelDirectory]
  /// Packed weights in bytes: the target's, then the drafts'.
  package let weightBytes: [Int]
  /// Memory of the target, then of the drafts.
  let memory: [RunnerMemory]
  /// Whether their products are of integers.
  let isQuantised: [Bool]
  /// `nil` on devices, whose limits this machine's are not.
  let ceilings: MachineCeilings.Sample?
  /// Format of the weights, as results name it.
  let quantization: String
  package let limits: ServingSimulation.Limits
  package let kernels: String
  private let engine: Engine
  private let log: StepLog
  private let selection: RunSwitch
  private let submitted = Mutex(0)

  /// Loads the models and starts the engine.
  ///
  /// - Throws: what loading throws, and `VocabularyMismatch` for a draft that does not fit the target.
  package init(
    _ models: TuningModels, concurrency: Int, window: Int, progress: @Sendable (String, Double) -> Void
  ) throws {
    target = try ModelDirectory(models.target)
    drafts = try models.drafts.map { try ModelDirectory($0) }
    for draft in drafts { try VocabularyAgreement.check(target: target.tokenizer, draft: draft.tokenizer) }
    let pool = WorkerPool(threadCount: models.threads)
    let decodingRows = concurrency * (1 + window)
    let most = target.configuration.maximumPosition
    var bounds = RunnerLimits(
      rows: max(models.rows, decodingRows), logitRows: max(decodingRows, 32), sequences: concurrency,
      positions: min(most, models.maximumLength ?? EngineConfiguration.defaultMaximumLength))
    limits = ServingSimulation.Limits(rows: models.rows, logitRows: bounds.logitRows, concurrency: concurrency)
    let instructionSet = models.instructionSet
    var configuration = EngineConfiguration(model: models.target)
    (configuration.quantization, configuration.instructionSet) = (models.quantization, instructionSet)
    configuration.cacheFormat = models.cacheFormat
    (configuration.backend, configuration.weightCache) = (models.backend, models.programCache)
    try configuration.validate()
    let session = try configuration.session()
    func load(_ model: ModelDirectory, _ name: String) throws -> any ModelRunner {
      try model.loadRunner(configuration, limits: bounds, pool: pool, session: session) {
        progress("Loading \(name)", $0)
      }
    }
    if let session {
      kernels = "PJRT \(session.client.platform)"
      (quantization, ceilings) = (session.element.rawValue, nil)
    } else {
      kernels = (instructionSet ?? .best).rawValue
      quantization = models.quantization.rawValue
      ceilings = try Self.ceilings(pool: pool, instructionSet: instructionSet)
    }
    let (log, selection) = (StepLog(), RunSwitch())
    let runner = try load(target, "target")
    var runners = [runner]
    let costs = try PassCosts.measure(runner, rows: decodingRows)
    bounds.logitRows = concurrency
    var proposers: [DraftModelProposer] = []
    var adaptive: [AdaptiveProposer] = []
    for draft in drafts {
      bounds.positions = min(bounds.positions, draft.configuration.maximumPosition)
      let draftRunner = try load(draft, "draft")
      runners.append(draftRunner)
      let timed = TimedRunner(draftRunner, isTarget: false, log: log)
      proposers.append(DraftModelProposer(runner: timed, vocabularySize: runner.vocabularySize))
      // A second proposer over the same runner: they never serve at the same time.
      let measured = DraftModelProposer(
        runner: timed, vocabularySize: runner.vocabularySize,
        costs: try PassCosts.measure(draftRunner, rows: max(concurrency, DraftModelProposer.readingRows)))
      adaptive.append(AdaptiveProposer(free: [Self.suffix], draft: measured))
    }
    adaptive.append(AdaptiveProposer(free: [Self.suffix], draft: nil))
    let proposer = CandidateProposer(
      drafts: proposers, adaptive: adaptive, lookup: Self.lookup, suffix: Self.suffix,
      selection: selection, log: log)
    self.log = log
    self.selection = selection
    memory = runners.map(\.memory)
    weightBytes = memory.map(\.packedWeights)
    isQuantised = runners.map { ($0 as? CPUModelRunner)?.isQuantised ?? false }
    engine = Engine(
      DecodingLoop(
        runner: TimedRunner(runner, isTarget: true, log: log), tokenizer: target.tokenizer, proposer: proposer,
        verifier: CoupledVerifier(), window: window, costs: costs, sequences: concurrency, rows: models.rows))
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

  /// A suffix index of those settings.
  package static var suffix: SuffixProposer { SuffixProposer(settings: suffixSettings) }

  /// Longest sequence, prompt and output.
  package var maximumLength: Int { engine.maximumLength }

  /// Serves `count` requests, the prompts in turn, `concurrency` at a time.
  ///
  /// - Throws: `RequestError` for a prompt that does not fit, `TuningFailure` when the engine gives up on one.
  package func run(
    _ prompts: [TuningPrompt], count: Int, mode: RunMode, window: Int, concurrency: Int, seed: UInt64
  ) async throws -> Run {
    let requests = (0..<count).map { index in
      request(prompts[index % prompts.count], seed: UInt64(index % prompts.count), window: mode == .plain ? 0 : window)
    }
    log.begin()
    selection.begin(mode, seed: seed)
    let firstNumber = submitted.withLock { submitted in
      submitted += count
      return submitted - count + 1
    }
    var run = Run()
    run.outputs = Array(repeating: [], count: count)
    let started = ContinuousClock.now
    try await engine.generate(requests, atATime: concurrency) { index, stream in
      let (tokens, summary) = try await Self.collect(stream)
      return (index, tokens, summary)
    } receive: { index, tokens, summary in
      run.outputs[index] = tokens
      guard let summary else { return }
      run.speculation.add(summary.speculation)
      run.firstTokenSeconds.append(summary.timing.firstTokenSeconds)
      if let seconds = summary.timing.secondsPerOutputToken(summary.outputTokens) {
        run.perTokenSeconds.append(seconds)
      }
    }
    run.seconds = (ContinuousClock.now - started).inSeconds
    run.steps = log.steps
    for (number, outcomes) in selection.outcomes { run.outcomes[number - firstNumber] = outcomes }
    return run
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

  private static func collect(_ stream: AsyncStream<GenerationEvent>) async throws -> ([TokenID], GenerationSummary?) {
    var (tokens, last): ([TokenID], GenerationSummary?) = ([], nil)
    for await event in stream {
      switch event {
      case .token(let token): tokens.append(token.id)
      case .finished(let summary):
        last = summary
        if case .failed(let reason) = summary.reason { throw TuningFailure(description: reason) }
      }
    }
    return (tokens, last)
  }

  private static func ceilings(pool: WorkerPool, instructionSet: InstructionSet?) throws -> MachineCeilings.Sample {
    let ceilings = try MachineCeilings(pool: pool, instructionSet: instructionSet)
    let samples = (0..<3).map { _ in ceilings.measure() }
    return MachineCeilings.Sample(
      readBandwidth: Spread(samples.map(\.readBandwidth)).median,
      byteOperations: Spread(samples.map(\.byteOperations)).median,
      floatOperations: Spread(samples.map(\.floatOperations)).median)
  }
}

/// Tuning cannot go on.
package struct TuningFailure: Error, Sendable, CustomStringConvertible {
  /// One sentence.
  package let description: String

  package init(description: String) { self.description = description }
}
