internal import Decoding
internal import Foundation
package import Inference
internal import ModelFiles
internal import Tensor
internal import Transformer

/// Measures forward passes of a model, and the ceilings of the machine beside them.
///
/// Everything is interleaved: a round measures the ceilings and then each kind of pass once, so that a disturbance
/// hits all of them alike. What is reported are medians over the rounds.
package struct ForwardBenchmark: Sendable {
  package struct Plan: Sendable {
    /// Rows of the passes whose rows all want logits.
    package var rows: [Int]
    /// Lengths of prompts.
    package var prefills: [Int]
    /// Positions in the KV cache before a pass.
    package var contexts: [Int]
    package var repetitions: Int
    /// Most rows of one chunk of a prefill.
    package var chunk: Int
    /// Rows that a head reads at a time.
    fileprivate(set) var headRows: [Int] = []

    package init(rows: [Int], prefills: [Int], contexts: [Int], repetitions: Int, chunk: Int) {
      (self.rows, self.prefills, self.contexts) = (rows, prefills, contexts)
      (self.repetitions, self.chunk) = (repetitions, chunk)
    }

    /// In the order of contexts, then rows.
    var passes: [PassMeasurement] {
      contexts.flatMap { context in
        rows.map { PassMeasurement(kind: .decode, context: context, rows: $0) }
          + prefills.map { PassMeasurement(kind: .prefill, context: context, rows: $0) }
      }
    }

    /// Those of a model with experts besides, whose rows go through others: in the first context.
    func expertPasses(_ text: [Int32]?) -> [PassMeasurement] {
      rows.filter { $0 > 1 }.flatMap { rows in
        ([.alike] + (text.map { [.text($0)] } ?? [])).map {
          PassMeasurement(kind: .decode, context: contexts.first ?? 0, rows: rows, tokens: $0)
        }
      }
    }

    /// What a runner needs room for.
    var limits: RunnerLimits {
      let most = (rows + headRows).max() ?? 1
      // A head guesses after what it reads, twice or a block.
      let guesses = headRows.isEmpty ? 0 : HeadSteps.rows.max() ?? 0
      return RunnerLimits(
        rows: max(most, prefills.isEmpty ? 1 : chunk), logitRows: most,
        positions: (contexts.max() ?? 0) + max(most + guesses, prefills.max() ?? 1))
    }
  }

  private let configuration: EngineConfiguration
  private let shape: ModelShape?
  private let layers: Int?
  private var plan: Plan
  private let text: [Int32]?
  private let head: String?

  /// A benchmark of the model that `configuration` names, or of random weights in `shape`.
  ///
  /// - Parameters:
  ///   - layers: of the shape, if not all of them.
  ///   - text: tokens by which a model with experts is measured too.
  ///   - head: a head on the model, or a kind of head for the shape, whose steps are measured too.
  package init(
    _ configuration: EngineConfiguration, shape: ModelShape? = nil, layers: Int? = nil, plan: Plan,
    text: [Int32]? = nil, head: String? = nil
  ) {
    (self.configuration, self.shape, self.layers, self.plan) = (configuration, shape, layers, plan)
    (self.text, self.head) = (text, head)
    if head != nil { self.plan.headRows = HeadSteps.rows + [HeadSteps.mostOfBlock] }
  }

  /// Loads the weights and measures.
  ///
  /// - Parameter progress: called with what is being done and the share of it that is done.
  /// - Throws: what loading throws, and `RunnerError` for a plan that the model cannot run.
  package func run(progress: (String, Double) -> Void) throws -> ForwardReport {
    let backend = CPUBackend(configuration)
    backend.prepareThread()
    let ceilings = try MachineCeilings(pool: backend.pool, instructionSet: configuration.instructionSet)
    // Refuse a head that does not fit before minutes go into packing the model.
    let opened = try head.map { name in
      try shape.map { try HeadSteps.random(name, for: $0) } ?? HeadSteps.open(name, on: configuration.model)
    }
    let began = ContinuousClock.now
    let (runner, name) = try backend.load(shape, layers: layers, limits: plan.limits) { progress("Loading", $0) }
    let loadSeconds = (ContinuousClock.now - began).inSeconds
    var costs: PassCosts?
    if runner.capacity.experts != nil { costs = try PassCosts.measure(runner, rows: plan.rows.max() ?? 1) }
    runner.fillKeyValueCacheRandomly()
    var headSteps = try opened.map { head in
      try HeadSteps(
        head, on: runner, contexts: plan.contexts, configuration: configuration, limits: plan.limits,
        pool: backend.pool)
    }

    let plain = plan.passes
    var passes = plain + (costs == nil ? [] : plan.expertPasses(text))
    // Once each without counting: pages are touched, frequencies settle.
    for index in passes.indices where passes[index].kind == .decode {
      _ = try passes[index].time(on: runner, chunk: plan.chunk)
    }
    try headSteps?.run(counting: false)
    var samples: [MachineCeilings.Sample] = []
    let stopwatch = PassStopwatch()
    runner.stopwatch = stopwatch
    for round in 0..<plan.repetitions {
      for index in passes.indices {
        // Beside every few passes, so that both see the same machine.
        if index % 4 == 0 { samples.append(ceilings.measure()) }
        stopwatch.reset()
        let seconds = try passes[index].time(on: runner, chunk: plan.chunk)
        passes[index].add(seconds, stopwatch.times)
        progress("Measuring", Double(round * passes.count + index + 1) / Double(plan.repetitions * passes.count))
      }
      try headSteps?.run()
    }
    let found = ForwardReport.Ceilings(samples)
    return ForwardReport(
      model: name, quantization: configuration.quantization.rawValue, threads: configuration.threads,
      kernels: (configuration.instructionSet ?? .best).rawValue, processor: Processor.name,
      repetitions: plan.repetitions, chunk: plan.chunk,
      packedWeightBytes: runner.memory.packedWeights, loadSeconds: loadSeconds, ceilings: found,
      passes: passes.prefix(plain.count).map { pass in
        report(
          pass, of: runner, limits: found.medians,
          single: passes.first { $0.kind == .decode && $0.context == pass.context && $0.rows == 1 })
      },
      expertPasses: costs.map { costs in
        passes.filter { $0.kind == .decode && $0.context == plan.contexts.first }.sorted { $0.rows < $1.rows }.map {
          expertReport($0, of: runner, costs)
        }
      }, secondsPerExpert: costs?.experts?.secondsPerExpert, head: headSteps?.report)
  }

  private func expertReport(
    _ pass: PassMeasurement, of runner: CPUModelRunner, _ costs: PassCosts
  ) -> ForwardReport.ExpertPass {
    ForwardReport.ExpertPass(
      rows: pass.rows, tokens: pass.tokens.name,
      experts: Double(pass.experts) / Double(runner.capacity.experts?.layers ?? 1),
      predictedSeconds: costs.seconds(rows: pass.rows, experts: pass.experts), seconds: Spread(pass.seconds))
  }

  private func report(
    _ pass: PassMeasurement, of runner: CPUModelRunner, limits: MachineCeilings.Sample,
    single: PassMeasurement?
  ) -> ForwardReport.Pass {
    let chunks = pass.chunks(of: plan.chunk)
    let readExperts = runner.capacity.experts.map { Double(pass.experts) / Double($0.total * chunks.count) }
    let costs = chunks.map { chunk in
      PassCost(
        runner.configuration, memory: runner.memory, cacheFormat: configuration.cacheFormat, rows: chunk.rows,
        context: chunk.context, logitRows: chunk.logitRows, readExperts: readExperts)
    }
    let floor = costs.reduce(0) { $0 + $1.floor(limits, isQuantised: runner.isQuantised) }
    let arithmetic = costs.reduce(0) { $0 + $1.arithmeticSeconds(limits, isQuantised: runner.isQuantised) }
    let seconds = Spread(pass.seconds)
    let ratio = single.map { single in Spread(zip(pass.seconds, single.seconds).map { $0 / $1 }) }
    return ForwardReport.Pass(
      kind: pass.kind.rawValue, context: pass.context, rows: pass.rows, seconds: seconds, ratioToSingle: ratio,
      floorSeconds: floor, shareOfFloor: floor / seconds.median, bytes: costs.reduce(0) { $0 + $1.bytes },
      shareOfPeak: arithmetic / seconds.median,
      breakdown: Dictionary(
        uniqueKeysWithValues: PassStopwatch.Operation.allCases.map { operation in
          (operation.rawValue, Spread(pass.laps.map { $0[operation]?.inSeconds ?? 0 }).median)
        }))
  }
}

extension CPUBackend {
  /// Loads the configuration's model, or random weights in `shape`, and says what results call it.
  ///
  /// - Parameter layers: of the shape, if not all of them.
  func load(
    _ shape: ModelShape?, layers: Int? = nil, limits: RunnerLimits, progress: (Double) -> Void
  ) throws -> (runner: CPUModelRunner, name: String) {
    if let shape {
      let configuration = try shape.configuration(layers: layers)
      return (
        try load(randomWeightsFor: configuration, limits: limits, progress: progress),
        shape.rawValue + (layers.map { ", \($0) layers" } ?? "")
      )
    }
    // Not as a `ModelSource`: passes need no tokenizer, and files made to be measured have none.
    let files = try HubCache().open(configuration.model)
    let runner = try load(files.checkpoint(), files.configuration(), limits: limits, progress: progress)
    return (runner, URL(fileURLWithPath: files.path).lastPathComponent)
  }
}
