internal import Inference
internal import ModelFiles
internal import Tensor
internal import Transformer

/// Times what a head takes to guess a token, beside the pass of its target over one row.
///
/// After a pass of the target the head takes over the streams of the rows that stand, reads these rows, and guesses; each
/// later guess is a pass over one row. A head that writes blocks guesses several tokens in one pass after taking over.
/// Choosing the likeliest tokens counts.
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
  /// Tokens of a block that are guessed at once, as far as the head has slots for them.
  private static let proposals = [1, 3, 5, 7, 15]
  /// Most rows of a block: its guesses and the known token.
  static let mostOfBlock = 16

  private let name: String
  private let target: CPUModelRunner
  private let head: any CPUHead
  private let contexts: [Int]
  private var steps: [Step] = []

  /// Loads a head, or makes it.
  ///
  /// - Parameter runner: what runs the target.
  /// - Throws: what loading throws.
  init(
    _ source: Source, on runner: CPUModelRunner, contexts: [Int], configuration: EngineConfiguration,
    limits: RunnerLimits, pool: WorkerPool
  ) throws {
    (name, target, self.contexts) = (source.name, runner, contexts)
    let (set, format) = (configuration.instructionSet, configuration.cacheFormat)
    let (quantization, cache) = (configuration.quantization, configuration.weightCache)
    switch source.weights {
    case .files(let head, let path) where head.configuration.block != nil:
      self.head = try CPUBlockHeadRunner(
        head, target: (runner.configuration, Checkpoint(directory: path)), quantization: quantization, limits: limits,
        pool: pool, instructionSet: set, cacheFormat: format, cache: cache)
    case .files(let head, let path):
      self.head = try CPUHeadRunner(
        head, target: (runner.configuration, Checkpoint(directory: path)), quantization: quantization, limits: limits,
        pool: pool, instructionSet: set, cacheFormat: format, cache: cache)
    case .random(let head) where head.block != nil:
      self.head = try CPUBlockHeadRunner(
        randomWeightsFor: head, target: runner.configuration, quantization: quantization, limits: limits, pool: pool,
        instructionSet: set, cacheFormat: format)
    case .random(let head):
      self.head = try CPUHeadRunner(
        randomWeightsFor: head, target: runner.configuration, quantization: quantization, limits: limits, pool: pool,
        instructionSet: set, cacheFormat: format)
    }
    self.head.fillKeyValueCacheRandomly()
    for context in contexts {
      if let slots = self.head.slots {
        steps += Self.proposals.filter { $0 <= slots.most }.map { Step(kind: .block, context: context, rows: $0) }
      } else {
        steps += Self.rows.map { Step(kind: .first, context: context, rows: $0) }
        steps.append(Step(kind: .next, context: context, rows: 1))
      }
    }
  }

  /// Where a head comes from.
  struct Source {
    enum Weights {
      /// With the target's path.
      case files(Head, String)
      case random(HeadConfiguration)
    }

    let name: String
    let weights: Weights
  }

  /// A head of random weights for the model of `shape`, of the kind that `name` names.
  ///
  /// - Throws: `ModelFileError` for a name that is no such kind.
  static func random(_ name: String, for shape: ModelShape) throws -> Source {
    guard let kind = HeadConfiguration.Kind(rawValue: name), let count = HeadConfiguration.layerCount(of: kind) else {
      throw ModelFileError(name, "is no head whose shape is known; expected eagle3 or dflash")
    }
    let layers = try shape.configuration(layers: count)
    guard layers.experts == nil && layers.windows.isEmpty else {
      throw ModelFileError(name, "is no head whose shape is known for \(shape.rawValue); expected one of a dense Qwen3")
    }
    return Source(
      name: "\(kind.title), random weights",
      weights: .random(HeadConfiguration(kind, for: try shape.configuration(), layers: layers)))
  }

  /// Opens a head on the model that `model` names, or the one that this carries.
  ///
  /// - Throws: `ModelFileError` for what is no head, or does not fit.
  static func open(_ name: String, on model: String) throws -> Source {
    let path = try HubCache().locate(model)
    return Source(name: name, weights: .files(try open(name, at: path), path))
  }

  private static func open(_ name: String, at path: String) throws -> Head {
    let (container, model) = (try HubCache().open(name), try openContainer(at: path))
    let carried = container.path == model.path ? try container.carriedHead() : nil
    guard let head = try carried ?? container.head() else {
      throw ModelFileError(container.path, "is no head; expected one whose steps are to be timed")
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
      if let slots = head.slots {
        for index in steps.indices where steps[index].context == context {
          let took = try block(of: steps[index].rows, at: context, slots)
          if counts { add(took, over: single, to: index) }
        }
        continue
      }
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
          case .first, .block: break
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

  /// Seconds that a block of `count` guesses takes, with taking over the streams of the most rows that stand.
  private func block(of count: Int, at context: Int, _ slots: ProposalSlots) throws(RunnerError) -> Double {
    let rows = Self.rows.max() ?? 1
    let streams = try pass(rows: rows, at: context).streams
    let known = tokens(1, at: context + rows)
    let asked = known + Array(repeating: slots.maskToken, count: slots.masks(proposing: count))
    let needed = blocks(for: context + rows + asked.count)
    return try seconds { () throws(RunnerError) in
      try head.take(streams, [StreamShare(rows: 0..<rows, firstPosition: context, blocks: needed)])
      var batch = Batch()
      let guesses = batch.append(asked, at: context + rows, blocks: needed, logitCount: count)
      let logits = try head.logits(of: batch)
      var previous = known[0]
      for row in guesses {
        if head.correctsProposals { _ = try head.correct([UncorrectedProposal(row: row, previous: previous)]) }
        previous = Int32(logits.argmax(row: row))
      }
    }
  }

  /// A pass of the head over `rows` rows, and the token that it guesses.
  private func guess(rows: Int, at position: Int) throws(RunnerError) {
    var batch = Batch()
    batch.append(
      tokens(rows, at: position), at: position, blocks: blocks(for: position + rows), logitCount: 1)
    _ = try head.logits(of: batch).argmax(row: 0)
  }
}
