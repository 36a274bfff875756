internal import Inference
internal import ModelFiles
internal import Tensor
internal import Transformer

/// Times what a head takes to guess a token, beside the pass of its target over one row.
///
/// After a pass of the target the head takes over the streams of the rows that stand, reads these rows, and guesses; each
/// later guess is a pass over one row. Choosing the likeliest token counts.
struct HeadSteps {
  /// One kind of step and the times that it took.
  private struct Step {
    let kind: ForwardReport.HeadStep.Kind
    let context, rows: Int
    var seconds: [Double] = []
    /// Over the target's pass of the same round.
    var shares: [Double] = []
  }

  /// Rows that stand after a pass of the target.
  static let rows = [1, 2, 4]

  private let name: String
  private let target: CPUModelRunner
  private let head: CPUHeadRunner
  private let contexts: [Int]
  private var steps: [Step] = []

  /// Loads a head that writes token by token.
  ///
  /// - Parameters:
  ///   - path: the target's.
  ///   - runner: what runs it.
  /// - Throws: what loading throws.
  init(
    _ head: Head, named name: String, on path: String, _ runner: CPUModelRunner, contexts: [Int],
    configuration: EngineConfiguration, limits: RunnerLimits, pool: WorkerPool
  ) throws {
    (self.name, target, self.contexts) = (name, runner, contexts)
    self.head = try CPUHeadRunner(
      head, target: (runner.configuration, Checkpoint(directory: path)), quantization: configuration.quantization,
      limits: limits, pool: pool, instructionSet: configuration.instructionSet,
      cacheFormat: configuration.cacheFormat, cache: configuration.weightCache)
    self.head.fillKeyValueCacheRandomly()
    for context in contexts {
      steps += Self.rows.map { Step(kind: .first, context: context, rows: $0) }
      steps.append(Step(kind: .next, context: context, rows: 1))
    }
  }

  /// Opens a head on the model at `path`, or the one that this carries.
  ///
  /// - Throws: `ModelFileError` for what is no head, writes blocks, or does not fit.
  static func open(_ name: String, on path: String) throws -> Head {
    let (container, model) = (try HubCache().open(name), try openContainer(at: path))
    let carried = container.path == model.path ? try container.carriedHead() : nil
    guard let head = try carried ?? container.head() else {
      throw ModelFileError(container.path, "is no head; expected one whose steps are to be timed")
    }
    guard head.configuration.block == nil else {
      throw ModelFileError(
        container.path, "writes blocks (\(head.configuration.kind.rawValue)); only steps token by token are timed")
    }
    try head.check(fits: model.configuration())
    return head
  }

  /// Runs every step once.
  ///
  /// - Parameter counts: whether the times count; the first round is there to touch the memory.
  mutating func run(counting counts: Bool = true) throws(RunnerError) {
    for context in contexts {
      let single = try pass(rows: 1, at: context).seconds
      for rows in Self.rows {
        let streams = try pass(rows: rows, at: context).streams
        let first = try seconds { () throws(RunnerError) in
          try head.take(
            streams, [StreamShare(rows: 0..<rows, firstPosition: context, blocks: blocks(for: context + rows))])
          try guess(rows: rows, at: context + 1)
        }
        let next = try seconds { () throws(RunnerError) in try guess(rows: 1, at: context + 1 + rows) }
        guard counts else { continue }
        for index in steps.indices where steps[index].context == context {
          switch steps[index].kind {
          case .first where steps[index].rows == rows: add(first, over: single, to: index)
          case .first: break
          case .next: add(next, over: single, to: index)
          }
        }
      }
    }
  }

  /// What was found.
  var report: ForwardReport.Head {
    ForwardReport.Head(
      name: name, packedWeightBytes: head.memory.packedWeights,
      steps: steps.map { step in
        ForwardReport.HeadStep(
          kind: step.kind, context: step.context, rows: step.rows, seconds: Spread(step.seconds),
          shareOfSingle: Spread(step.shares))
      })
  }

  private mutating func add(_ seconds: Double, over single: Double, to index: Int) {
    steps[index].seconds.append(seconds)
    steps[index].shares.append(seconds / single)
  }

  private func seconds(_ body: () throws(RunnerError) -> Void) throws(RunnerError) -> Double {
    let began = ContinuousClock.now
    try body()
    return (ContinuousClock.now - began).inSeconds
  }

  private func blocks(for positions: Int) -> [Int32] {
    (0..<Int32((positions + head.capacity.blockSize - 1) / head.capacity.blockSize)).map { $0 }
  }

  private func tokens(_ rows: Int, at position: Int) -> [Int32] {
    (0..<rows).map { PassMeasurement.Tokens.various.token(position + $0, vocabularySize: target.vocabularySize) }
  }

  /// A pass of the target over `rows` rows whose streams the head wants.
  private func pass(
    rows: Int, at context: Int
  ) throws(RunnerError) -> (seconds: Double, streams: [Activations]) {
    var batch = Batch()
    batch.append(
      tokens(rows, at: context), at: context, blocks: blocks(for: context + rows), logitCount: rows,
      states: target.capacity.measuredStates(from: context, rows: rows, keeping: rows))
    let pass = Pass(batch, taps: Taps(layers: head.tappedLayers, rows: Array(0..<rows)))
    let began = ContinuousClock.now
    let result = try target.run(pass)
    return ((ContinuousClock.now - began).inSeconds, result.taps)
  }

  /// A pass of the head over `rows` rows, and the token that it guesses.
  private func guess(rows: Int, at position: Int) throws(RunnerError) {
    var batch = Batch()
    batch.append(
      tokens(rows, at: position), at: position, blocks: blocks(for: position + rows), logitCount: 1)
    _ = try head.logits(of: batch).argmax(row: 0)
  }
}
