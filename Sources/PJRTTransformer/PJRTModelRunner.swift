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

  private let session: PJRTSession
  private let program: DecoderProgram
  private let planner: PassPlanner
  private let weights: PJRTBuffers
  /// Keys and values, layer by layer; `nil` after a pass that failed on the device and took them along.
  private var caches: PJRTBuffers?
  private var bodies: [ProgramSize: LoadedProgram] = [:]
  private var heads: [Int: LoadedProgram] = [:]
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
    let (options, blockSize) = (session.options, KVStorage.blockSize)
    try Self.check(configuration, isSharedBy: options.partitionCount)
    let blockCount = (limits.positions + blockSize - 1) / blockSize * limits.sequences
    self.session = session
    self.configuration = configuration
    vocabularySize = configuration.vocabularySize
    capacity = RunnerCapacity(
      rows: limits.rows, logitRows: limits.logitRows, blockCount: blockCount, blockSize: blockSize,
      positions: limits.positions)
    let parameters = DecoderParameters(configuration, positions: limits.positions)
    program = DecoderProgram(
      configuration: configuration, parameters: parameters,
      element: session.element == .float32 ? .float32 : .bfloat16, partitionCount: options.partitionCount,
      blockCount: blockCount + 1, blockSize: blockSize)
    planner = PassPlanner(
      rowBuckets: options.rowBuckets, sequences: limits.sequences, positions: limits.positions, blockSize: blockSize,
      blockCount: blockCount)
    let upload = WeightUpload(
      client: session.client, checkpoint: checkpoint, configuration: configuration, element: session.element,
      partitionCount: options.partitionCount)
    weights = try upload.buffers(of: parameters, progress: progress)
    caches = try Self.emptyCaches(program, session)
    logits = try Activations(rowCapacity: limits.logitRows, columns: configuration.vocabularySize)
    let matrices = parameters.all.reduce(0) { total, parameter in
      total + parameter.shape.reduce(parameter.source == .matrix ? session.element.byteCount : 4, *)
    }
    memory = RunnerMemory(
      packedWeights: matrices,
      keyValueCache: program.cacheType.count * session.element.byteCount * 2 * configuration.layerCount)
    // What every request needs first; longer reaches are compiled when a text gets there.
    for size in planner.sizes.prefix(options.rowBuckets.count) {
      _ = try body(size)
      _ = try head(size.rows)
    }
  }

  private static func check(
    _ configuration: ModelConfiguration, isSharedBy partitionCount: Int
  ) throws(RunnerError) {
    for (name, count) in [
      ("num_key_value_heads", configuration.kvHeadCount), ("intermediate_size", configuration.intermediateSize),
    ] where count % partitionCount != 0 {
      throw RunnerError(description: "\(name) is \(count), which \(partitionCount) devices cannot share evenly")
    }
  }

  /// K/V memory of zeros.
  private static func emptyCaches(
    _ program: DecoderProgram, _ session: PJRTSession
  ) throws(PJRTError) -> PJRTBuffers {
    let type: PJRTElementType = session.element == .float32 ? .float32 : .bfloat16
    var caches = PJRTBuffers(session.client)
    for _ in 0..<2 * program.configuration.layerCount {
      caches.append(
        try session.client.zeros(
          type, shape: program.cacheType.shape, split: program.partitionCount > 1 ? DecoderProgram.cacheSplit : nil))
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

  private func run(_ pass: StaticPass) throws(PJRTError) {
    let client = session.client
    let (body, head) = (try body(pass.size), try head(pass.size.rows))
    let rowShape = [pass.size.rows]
    var inputs = try client.upload(pass.tokens, shape: rowShape)
    inputs.append(try client.upload(pass.positions, shape: rowShape))
    inputs.append(try client.upload(pass.slots, shape: rowShape))
    inputs.append(
      try client.upload(pass.tables, shape: [pass.size.lanes, pass.tables.count / pass.size.lanes]))
    guard var arguments = caches.take() else {
      throw .reported(operation: "run a program", message: "the K/V memory went with a pass that failed; start anew")
    }
    arguments.append(inputs)
    var results = try body.executable.run(weights, at: program.parameters.body, arguments)
    caches = results.removeFirst(2 * configuration.layerCount)
    guard !pass.wanted.isEmpty else { return }
    let found = try head.executable.run(weights, at: program.parameters.head, results)
    let count = pass.size.rows * vocabularySize
    if hostLogits.count != count { hostLogits = [Float](repeating: 0, count: count) }
    try found.read(0, into: &hostLogits)
    for wanted in pass.wanted {
      logits.setRow(wanted.logit, to: hostLogits[wanted.row * vocabularySize..<(wanted.row + 1) * vocabularySize])
    }
  }

  private func body(_ size: ProgramSize) throws(PJRTError) -> LoadedProgram {
    if let known = bodies[size] { return known }
    let loaded = try session.load(program.body(size))
    bodies[size] = loaded
    return loaded
  }

  private func head(_ rows: Int) throws(PJRTError) -> LoadedProgram {
    if let known = heads[rows] { return known }
    let loaded = try session.load(program.head(rows: rows))
    heads[rows] = loaded
    return loaded
  }
}
