package import ModelFiles
package import Tensor
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

  /// Where the weights come from.
  package enum Source: Sendable {
    /// A model's files.
    case checkpoint(Checkpoint, ModelConfiguration, name: String)
    /// Random weights in a shape.
    case shape(ModelShape)
  }

  private let source: Source
  private let quantization: Quantization
  private let plan: Plan
  private let threads: Int
  private let instructionSet: InstructionSet
  private let cacheFormat: KVCacheFormat

  /// A benchmark of `source` with its weights as `quantization` says.
  package init(
    _ source: Source, quantization: Quantization, plan: Plan, threads: Int = WorkerPool.defaultThreadCount,
    instructionSet: InstructionSet? = nil, cacheFormat: KVCacheFormat = .float16
  ) {
    (self.source, self.quantization, self.plan) = (source, quantization, plan)
    (self.threads, self.instructionSet, self.cacheFormat) = (threads, instructionSet ?? .best, cacheFormat)
  }

  /// Loads the weights and measures.
  ///
  /// - Parameter progress: called with what is being done and the share of it that is done.
  /// - Throws: what loading throws, and `RunnerError` for a plan that the model cannot run.
  package func run(progress: (String, Double) -> Void) throws -> ForwardReport {
    let pool = WorkerPool(threadCount: threads)
    let ceilings = try MachineCeilings(pool: pool, instructionSet: instructionSet)
    let began = ContinuousClock.now
    let (runner, name) = try load(limits: plan.limits, pool: pool) { progress("Loading", $0) }
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
    let limitsFound = ForwardReport.Ceilings(
      readBandwidth: Spread(samples.map(\.readBandwidth)), byteOperations: Spread(samples.map(\.byteOperations)),
      floatOperations: Spread(samples.map(\.floatOperations)))
    return ForwardReport(
      model: name, quantization: quantization.rawValue, threads: threads,
      kernels: instructionSet.rawValue, processor: Processor.name, repetitions: plan.repetitions, chunk: plan.chunk,
      packedWeightBytes: runner.memory.packedWeights, loadSeconds: loadSeconds, ceilings: limitsFound,
      passes: passes.map { pass in
        report(
          pass, of: runner, ceilings: limitsFound,
          single: passes.first { $0.kind == .decode && $0.context == pass.context && $0.rows == 1 })
      })
  }

  func load(
    limits: RunnerLimits, pool: WorkerPool, progress: (Double) -> Void
  ) throws -> (runner: CPUModelRunner, name: String) {
    switch source {
    case .checkpoint(let checkpoint, let configuration, let name):
      let runner = try CPUModelRunner(
        checkpoint: checkpoint, configuration: configuration, quantization: quantization, limits: limits, pool: pool,
        instructionSet: instructionSet, cacheFormat: cacheFormat, progress: progress)
      return (runner, name)
    case .shape(let shape):
      let runner = try CPUModelRunner(
        randomWeightsFor: shape.configuration(), quantization: quantization, limits: limits, pool: pool,
        instructionSet: instructionSet, cacheFormat: cacheFormat, progress: progress)
      return (runner, shape.rawValue)
    }
  }

  private func report(
    _ pass: PassMeasurement, of runner: CPUModelRunner, ceilings: ForwardReport.Ceilings,
    single: PassMeasurement?
  ) -> ForwardReport.Pass {
    let limits = MachineCeilings.Sample(
      readBandwidth: ceilings.readBandwidth.median, byteOperations: ceilings.byteOperations.median,
      floatOperations: ceilings.floatOperations.median)
    let costs = pass.chunks(of: plan.chunk).map { chunk in
      PassCost(
        runner.configuration, memory: runner.memory, cacheFormat: cacheFormat, rows: chunk.rows, context: chunk.context,
        logitRows: chunk.logitRows)
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
