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

    /// What a runner needs room for.
    var limits: RunnerLimits {
      let most = rows.max() ?? 1
      return RunnerLimits(
        rows: max(most, prefills.isEmpty ? 1 : chunk), logitRows: most,
        positions: (contexts.max() ?? 0) + max(most, prefills.max() ?? 1))
    }
  }

  private let configuration: EngineConfiguration
  private let shape: ModelShape?
  private let plan: Plan

  /// A benchmark of the model that `configuration` names, or of random weights in `shape`.
  package init(_ configuration: EngineConfiguration, shape: ModelShape? = nil, plan: Plan) {
    (self.configuration, self.shape, self.plan) = (configuration, shape, plan)
  }

  /// Loads the weights and measures.
  ///
  /// - Parameter progress: called with what is being done and the share of it that is done.
  /// - Throws: what loading throws, and `RunnerError` for a plan that the model cannot run.
  package func run(progress: (String, Double) -> Void) throws -> ForwardReport {
    let backend = CPUBackend(configuration)
    backend.prepareThread()
    let ceilings = try MachineCeilings(pool: backend.pool, instructionSet: configuration.instructionSet)
    let began = ContinuousClock.now
    let (runner, name) = try backend.load(shape, limits: plan.limits) { progress("Loading", $0) }
    let loadSeconds = (ContinuousClock.now - began).inSeconds
    runner.fillKeyValueCacheRandomly()

    var passes = plan.passes
    // Once each without counting: pages are touched, frequencies settle.
    for pass in passes where pass.kind == .decode { _ = try pass.time(on: runner, chunk: plan.chunk) }
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
    }
    let found = ForwardReport.Ceilings(samples)
    return ForwardReport(
      model: name, quantization: configuration.quantization.rawValue, threads: configuration.threads,
      kernels: (configuration.instructionSet ?? .best).rawValue, processor: Processor.name,
      repetitions: plan.repetitions, chunk: plan.chunk,
      packedWeightBytes: runner.memory.packedWeights, loadSeconds: loadSeconds, ceilings: found,
      passes: passes.map { pass in
        report(
          pass, of: runner, limits: found.medians,
          single: passes.first { $0.kind == .decode && $0.context == pass.context && $0.rows == 1 })
      })
  }

  private func report(
    _ pass: PassMeasurement, of runner: CPUModelRunner, limits: MachineCeilings.Sample,
    single: PassMeasurement?
  ) -> ForwardReport.Pass {
    let costs = pass.chunks(of: plan.chunk).map { chunk in
      PassCost(
        runner.configuration, memory: runner.memory, cacheFormat: configuration.cacheFormat, rows: chunk.rows,
        context: chunk.context, logitRows: chunk.logitRows)
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
  func load(
    _ shape: ModelShape?, limits: RunnerLimits, progress: (Double) -> Void
  ) throws -> (runner: CPUModelRunner, name: String) {
    if let shape {
      return (
        try load(randomWeightsFor: shape.configuration(), limits: limits, progress: progress), shape.rawValue
      )
    }
    // Not as a `ModelSource`: passes need no tokenizer, and files made to be measured have none.
    let files = try HubCache().open(configuration.model)
    let runner = try load(files.checkpoint(), files.configuration(), limits: limits, progress: progress)
    return (runner, URL(fileURLWithPath: files.path).lastPathComponent)
  }
}
