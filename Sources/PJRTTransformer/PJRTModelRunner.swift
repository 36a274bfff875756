package import ModelFiles
internal import PJRT
internal import StableHLO
internal import Tensor
package import Transformer

/// Qwen3, Qwen2.5 and Llama on the devices of a PJRT plugin.
///
/// Weights and K/V memory stay on the devices. A batch is cut into passes of fixed sizes (`PassPlanner`), whose programs
/// are compiled when they are first needed.
package final class PJRTModelRunner: ModelRunner {
  package let configuration: ModelConfiguration
  /// Number of logits per row.
  package let vocabularySize: Int
  /// What was reserved.
  package let capacity: RunnerCapacity
  /// Memory on the devices, by owner.
  package let memory: RunnerMemory

  /// Passes are timed anew at every start: devices differ.
  package var cacheKey: String? { nil }

  let session: PJRTSession
  let program: DecoderProgram
  let planner: PassPlanner
  let weights: PJRTBuffers
  /// Keys and values, layer by layer; `nil` after a pass that failed on the device and took them along.
  var caches: PJRTBuffers?
  private var bodies: [BodySize: LoadedProgram] = [:]
  private var heads: [Int: LoadedProgram] = [:]
  private var choosers: [ChoiceSize: LoadedProgram] = [:]
  private let logits: Activations
  /// Residual streams by tapped layer; made when they are first wanted.
  private var tapped: [Activations] = []
  private var hostRows = HostRows()

  /// Copies the checkpoint's weights to the devices and reserves the K/V memory there.
  ///
  /// - Parameters:
  ///   - session: the devices.
  ///   - checkpoint: the tensors of a Hugging Face model directory.
  ///   - configuration: the directory's `config.json`.
  ///   - limits: sizes of one pass and of the K/V memory.
  ///   - progress: called with the share of the weights that is on the devices, from 0 to 1.
  /// - Throws: `ModelFileError` for tensors that are missing or have another shape than the configuration says;
  ///   `PJRTError` when the devices lack the memory; `RunnerError` for heads that the devices cannot share.
  package init(
    session: PJRTSession, checkpoint: Checkpoint, configuration: ModelConfiguration, limits: RunnerLimits,
    progress: (Double) -> Void = { _ in }
  ) throws {
    let plan = try DecoderPlan(configuration, limits: limits, options: session.options, element: session.element)
    self.session = session
    self.configuration = configuration
    vocabularySize = configuration.vocabularySize
    (capacity, program, planner) = (plan.capacity, plan.program, plan.planner)
    let parameters = program.parameters
    let upload = WeightUpload(
      client: session.client, checkpoint: checkpoint, configuration: configuration, element: session.element,
      partitionCount: program.partitionCount)
    weights = try upload.buffers(of: parameters.all, progress: progress)
    caches = try session.buffers(of: program.emptyCache, count: 2 * configuration.layerCount)
    logits = try Activations(rowCapacity: limits.logitRows, columns: configuration.vocabularySize)
    memory = RunnerMemory(
      packedWeights: parameters.all.reduce(0) { $0 + $1.byteCount(session.element.byteCount) },
      keyValueCache: program.cacheType.count * session.element.byteCount * 2 * configuration.layerCount)
    // What every request needs first; longer context lengths are compiled when a sequence gets there.
    for size in planner.sizes.prefix(session.options.rowBuckets.count) {
      _ = try body(BodySize(program: size, taps: []))
      _ = try head(size.rows)
    }
  }

  /// Which tokens can be chosen on the devices.
  package var choosing: TokenChoosing { PJRTSpeculator.samples(on: session.client.platform) ? .sampling : .greedy }

  /// Runs the pass in pieces of fixed sizes. Where tokens are chosen, the logits stay on the devices.
  package func run(_ pass: Pass) throws(RunnerError) -> PassResult {
    try pass.check(against: capacity, vocabularySize: vocabularySize, choosing: choosing)
    var tokens = [Int32](repeating: 0, count: pass.choices.count)
    do {
      while tapped.count < pass.taps.layers.count {
        tapped.append(try Activations(rowCapacity: capacity.rows, columns: configuration.hiddenSize))
      }
      for piece in planner.passes(for: pass.batch, tapped: pass.taps.rows) {
        var streams = try residuals(piece, taps: pass.taps.layers)
        for place in pass.taps.layers.indices {
          try hostRows.read(streams, 1 + place, of: piece.tapped, rows: piece.size.rows, into: tapped[place])
        }
        guard !piece.wanted.isEmpty else { continue }
        let residual = streams.removeFirst(1)
        if pass.choices.isEmpty {
          try readLogits(of: piece, residual)
        } else {
          let found = try chosen(piece, residual, by: pass.choices)
          for wanted in piece.wanted { tokens[wanted.place] = found[wanted.row] }
        }
      }
    } catch {
      throw RunnerError(description: "\(error)")
    }
    guard tokens.allSatisfy({ (0..<Int32(vocabularySize)).contains($0) }) else {
      throw RunnerError(description: "the device chose no token: the logits are not numbers")
    }
    return PassResult(
      logits: pass.choices.isEmpty ? logits : nil, tokens: tokens, taps: Array(tapped.prefix(pass.taps.layers.count)))
  }

  /// The tokens after all rows of a piece, `[rows]`; of rows that want none any.
  private func chosen(
    _ pass: StaticPass, _ residual: consuming PJRTBuffers, by choices: [TokenChoice]
  ) throws(PJRTError) -> [Int32] {
    let rows = pass.size.rows
    var arguments = PJRTBuffers(session.client)
    arguments.append(residual)
    let samples = pass.wanted.contains { choices[$0.place].temperature > 0 }
    let program = try choice(ChoiceSize(rows: rows, samples: samples))
    if samples {
      var temperatures = [Double](repeating: 0, count: rows)
      var (low, high, positions) = (
        [UInt32](repeating: 0, count: rows), [UInt32](repeating: 0, count: rows), [UInt32](repeating: 0, count: rows)
      )
      for wanted in pass.wanted {
        let choice = choices[wanted.place]
        temperatures[wanted.row] = choice.temperature
        low[wanted.row] = UInt32(truncatingIfNeeded: choice.seed)
        high[wanted.row] = UInt32(truncatingIfNeeded: choice.seed >> 32)
        positions[wanted.row] = UInt32(choice.outputPosition)
      }
      let client = session.client
      arguments.append(try client.upload(temperatures, shape: [rows]))
      arguments.append(try client.upload(low, shape: [rows]))
      arguments.append(try client.upload(high, shape: [rows]))
      arguments.append(try client.upload(positions, shape: [1, rows]))
    }
    let found = try program.executable.run(weights, at: self.program.parameters.head, arguments)
    var tokens = [Int32](repeating: 0, count: rows)
    try found.read(0, into: &tokens)
    return tokens
  }

  /// Computes a piece's rows and keeps their keys and values; gives the residual stream, and those that are tapped.
  private func residuals(_ pass: StaticPass, taps: [Int]) throws(PJRTError) -> PJRTBuffers {
    let client = session.client
    let body = try body(BodySize(program: pass.size, taps: taps))
    let rowShape = [pass.size.rows]
    var inputs = try client.upload(pass.tokens, shape: rowShape)
    inputs.append(try client.upload(pass.positions, shape: rowShape))
    inputs.append(try client.upload(pass.slots, shape: rowShape))
    inputs.append(
      try client.upload(pass.tables, shape: [pass.size.lanes, pass.tables.count / pass.size.lanes]))
    var arguments = try takeCaches()
    arguments.append(inputs)
    var results = try body.executable.run(weights, at: program.parameters.body, arguments)
    caches = results.removeFirst(2 * configuration.layerCount)
    return results
  }

  private func readLogits(of pass: StaticPass, _ residual: consuming PJRTBuffers) throws(PJRTError) {
    let head = try head(pass.size.rows)
    let found = try head.executable.run(weights, at: program.parameters.head, residual)
    try hostRows.read(found, 0, of: pass.wanted, rows: pass.size.rows, into: logits)
  }

  /// Hands the K/V memory to a program; whoever runs it puts it back.
  func takeCaches() throws(PJRTError) -> PJRTBuffers {
    guard let taken = caches.take() else {
      throw .reported(operation: "run a program", message: "the K/V memory went with a pass that failed; start anew")
    }
    return taken
  }

  private struct BodySize: Hashable {
    let program: ProgramSize
    let taps: [Int]
  }

  private func body(_ size: BodySize) throws(PJRTError) -> LoadedProgram {
    if let known = bodies[size] { return known }
    let loaded = try session.load(program.body(size.program, taps: size.taps))
    bodies[size] = loaded
    return loaded
  }

  private struct ChoiceSize: Hashable {
    let rows: Int
    let samples: Bool
  }

  private func choice(_ size: ChoiceSize) throws(PJRTError) -> LoadedProgram {
    if let known = choosers[size] { return known }
    let loaded = try session.load(program.choice(rows: size.rows, samples: size.samples))
    choosers[size] = loaded
    return loaded
  }

  private func head(_ rows: Int) throws(PJRTError) -> LoadedProgram {
    if let known = heads[rows] { return known }
    let loaded = try session.load(program.head(rows: rows))
    heads[rows] = loaded
    return loaded
  }
}
