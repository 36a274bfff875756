public import ModelFiles
public import Tensor
internal import Transformer

/// Measures forward passes of a model, and the ceilings of the machine beside them.
///
/// Everything is interleaved: a round measures the ceilings and then each kind of pass once, so that a disturbance
/// hits all of them alike. What is reported are medians over the rounds.
public struct ForwardBenchmark: Sendable {
  /// What to measure.
  public struct Plan: Sendable {
    /// Rows of the passes whose rows all want logits.
    public var rows: [Int]
    /// Lengths of prompts.
    public var prefills: [Int]
    /// Positions in the KV cache before a pass.
    public var contexts: [Int]
    /// Rounds.
    public var repetitions: Int
    /// Most rows of one chunk of a prefill.
    public var chunk: Int

    /// A plan.
    public init(rows: [Int], prefills: [Int], contexts: [Int], repetitions: Int, chunk: Int) {
      self.rows = rows
      self.prefills = prefills
      self.contexts = contexts
      self.repetitions = repetitions
      self.chunk = chunk
    }
  }

  /// Where the weights come from.
  public enum Source: Sendable {
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
  public init(
    _ source: Source, quantization: Quantization, plan: Plan, threads: Int = WorkerPool.defaultThreadCount,
    instructionSet: InstructionSet? = nil, cacheFormat: KVCacheFormat = .float16
  ) {
    self.source = source
    self.quantization = quantization
    self.plan = plan
    self.threads = threads
    self.instructionSet = instructionSet ?? .best
    self.cacheFormat = cacheFormat
  }

  /// Loads the weights and measures.
  ///
  /// - Parameter progress: called with what is being done and the share of it that is done.
  /// - Throws: what loading throws, and `RunnerError` for a plan that the model cannot run.
  public func run(progress: (String, Double) -> Void) throws -> ForwardReport {
    let pool = WorkerPool(threadCount: threads)
    let ceilings = try MachineCeilings(pool: pool, instructionSet: instructionSet)
    let limits = RunnerLimits(
      rows: max(plan.rows.max() ?? 1, plan.prefills.isEmpty ? 1 : plan.chunk), logitRows: plan.rows.max() ?? 1,
      positions: (plan.contexts.max() ?? 0) + max(plan.rows.max() ?? 1, plan.prefills.max() ?? 1))
    let clock = ContinuousClock()
    let began = clock.now
    let (runner, name) = try load(limits: limits, pool: pool) { progress("Loading", $0) }
    let loadSeconds = (clock.now - began).inSeconds
    runner.fillKeyValueCacheRandomly()

    var passes = plan.contexts.flatMap { context in
      plan.rows.map { PassMeasurement(kind: .decode, context: context, rows: $0) }
        + plan.prefills.map { PassMeasurement(kind: .prefill, context: context, rows: $0) }
    }
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
