public import ModelFiles
internal import PJRT
internal import StableHLO
public import Tensor
public import Transformer

/// Qwen3, Qwen2.5 and Llama on the devices of a PJRT plugin.
///
/// Weights and K/V memory stay on the devices. A batch is cut into passes of fixed sizes (`PassPlanner`), whose programs
/// are compiled when they are first needed.
public final class PJRTModelRunner: ModelRunner {
  /// What the model is.
  public let configuration: ModelConfiguration
  /// Number of logits per row.
  public let vocabularySize: Int
  /// What was reserved.
  public let capacity: RunnerCapacity
  /// Memory on the devices, by owner.
  public let memory: RunnerMemory

  /// Passes are timed anew at every start: devices differ.
  public var cacheKey: String? { nil }

  let session: PJRTSession
  let program: DecoderProgram
  let planner: PassPlanner
  let weights: PJRTBuffers
  /// Keys and values, layer by layer; `nil` after a pass that failed on the device and took them along.
  var caches: PJRTBuffers?
  private var bodies: [ProgramSize: LoadedProgram] = [:]
  private var heads: [Int: LoadedProgram] = [:]
  private var choosers: [ChoiceSize: LoadedProgram] = [:]
  private let logits: Activations
  private var hostLogits: [Float] = []

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
  public init(
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
    weights = try upload.buffers(of: parameters, progress: progress)
    caches = try Self.emptyCaches(program, session)
    logits = try Activations(rowCapacity: limits.logitRows, columns: configuration.vocabularySize)
    let matrices = parameters.all.reduce(0) { total, parameter in
      total + parameter.shape.reduce(parameter.isMatrix ? session.element.byteCount : 4, *)
    }
    memory = RunnerMemory(
      packedWeights: matrices,
      keyValueCache: program.cacheType.count * session.element.byteCount * 2 * configuration.layerCount)
    // What every request needs first; longer reaches are compiled when a text gets there.
    for size in planner.sizes.prefix(session.options.rowBuckets.count) {
      _ = try body(size)
      _ = try head(size.rows)
    }
  }

  /// K/V memory of zeros, made on the devices: the host may have no room for it.
  private static func emptyCaches(
    _ program: DecoderProgram, _ session: PJRTSession
  ) throws(PJRTError) -> PJRTBuffers {
    let zeros = try session.load(program.emptyCache)
    var caches = PJRTBuffers(session.client)
    for _ in 0..<2 * program.configuration.layerCount {
      caches.append(try zeros.executable.run(PJRTBuffers(session.client)))
    }
    return caches
  }

  /// Runs the batch in passes of fixed sizes.
  public func forward(_ batch: Batch) throws(RunnerError) -> Activations {
    try batch.check(against: capacity, vocabularySize: vocabularySize)
    do throws(PJRTError) {
      for pass in planner.passes(for: batch) { try run(pass) }
    } catch {
      throw RunnerError(description: "\(error)")
    }
    return logits
  }

  /// How the token that follows a row is chosen.
  public struct Choice: Sendable, Equatable {
    /// 0 for the largest logit.
    public var temperature: Double
    /// What selects the noise.
    public var seed: UInt64
    /// Output position of the token.
    public var outputPosition: Int

    /// A choice.
    public init(temperature: Double, seed: UInt64, outputPosition: Int) {
      (self.temperature, self.seed, self.outputPosition) = (temperature, seed, outputPosition)
    }
  }

  /// Whether tokens can be drawn at a temperature on the devices: noise takes double precision, which not all have.
  public var samples: Bool { PJRTSpeculator.samples(on: session.client.platform) }

  /// The tokens that follow the rows of `batch` that want logits, one choice for each; the logits stay on the devices.
  public func tokens(after batch: Batch, by choices: [Choice]) throws(RunnerError) -> [Int32] {
    try batch.check(against: capacity, vocabularySize: vocabularySize)
    precondition(choices.count == batch.logitRows.count)
    var tokens = [Int32](repeating: 0, count: choices.count)
    do throws(PJRTError) {
      for pass in planner.passes(for: batch) {
        let found = try chosen(pass, by: choices)
        for wanted in pass.wanted { tokens[wanted.logit] = found[wanted.row] }
      }
    } catch {
      throw RunnerError(description: "\(error)")
    }
    guard tokens.allSatisfy({ (0..<Int32(vocabularySize)).contains($0) }) else {
      throw RunnerError(description: "the device chose no token: the logits are not numbers")
    }
    return tokens
  }

  /// The tokens after all rows of a pass, `[rows]`; of rows that want none any.
  private func chosen(_ pass: StaticPass, by choices: [Choice]) throws(PJRTError) -> [Int32] {
    let rows = pass.size.rows
    var arguments = try residual(pass)
    let samples = pass.wanted.contains { choices[$0.logit].temperature > 0 }
    let program = try choice(ChoiceSize(rows: rows, samples: samples))
    if samples {
      var temperatures = [Double](repeating: 0, count: rows)
      var (low, high, positions) = (
        [UInt32](repeating: 0, count: rows), [UInt32](repeating: 0, count: rows), [UInt32](repeating: 0, count: rows)
      )
      for wanted in pass.wanted {
        let choice = choices[wanted.logit]
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

  /// Computes a pass's rows and keeps their keys and values; gives the residual stream.
  private func residual(_ pass: StaticPass) throws(PJRTError) -> PJRTBuffers {
    let client = session.client
    let body = try body(pass.size)
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

  private func run(_ pass: StaticPass) throws(PJRTError) {
    let head = try head(pass.size.rows)
    let residual = try residual(pass)
    guard !pass.wanted.isEmpty else { return }
    let found = try head.executable.run(weights, at: program.parameters.head, residual)
    let count = pass.size.rows * vocabularySize
    if hostLogits.count != count { hostLogits = [Float](repeating: 0, count: count) }
    try found.read(0, into: &hostLogits)
    for wanted in pass.wanted {
      logits.setRow(wanted.logit, to: hostLogits[wanted.row * vocabularySize..<(wanted.row + 1) * vocabularySize])
    }
  }

  /// Hands the K/V memory to a program; whoever runs it puts it back.
  func takeCaches() throws(PJRTError) -> PJRTBuffers {
    guard let taken = caches.take() else {
      throw .reported(operation: "run a program", message: "the K/V memory went with a pass that failed; start anew")
    }
    return taken
  }

  private func body(_ size: ProgramSize) throws(PJRTError) -> LoadedProgram {
    if let known = bodies[size] { return known }
    let loaded = try session.load(program.body(size))
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
