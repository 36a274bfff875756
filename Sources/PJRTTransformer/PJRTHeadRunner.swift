package import ModelFiles
internal import PJRT
internal import StableHLO
package import Tensor
package import Transformer

/// An EAGLE-3 head, or the MTP layer of a model, on the devices where its target is.
///
/// It computes what `CPUHeadRunner` computes. What it shares with the target (embedding, output matrix) are the target's
/// own buffers; its keys and values, and the stream of every position, stay on the devices too.
package final class PJRTHeadRunner: HeadRunner {
  /// Number of the target's logits: those of tokens that the head does not have are minus infinity.
  package let vocabularySize: Int
  package let capacity: RunnerCapacity
  package let tappedLayers: [Int]
  /// Memory on the devices, by owner; what the target shares is the target's.
  package let memory: RunnerMemory
  /// None: it drafts token by token.
  package var slots: ProposalSlots? { nil }
  /// Passes are timed anew at every start: devices differ.
  package var cacheKey: String? { nil }

  let program: HeadProgram
  let planner: PassPlanner
  let weights: PJRTBuffers
  /// Keys and values, layer by layer, and the streams of all positions; `nil` after a program that failed on the device and
  /// took them along.
  private var caches, streams: PJRTBuffers?
  private let target: PJRTModelRunner
  private var joins: [Int: LoadedProgram] = [:]
  private var bodies: [ProgramSize: LoadedProgram] = [:]
  private var outputs: [Int: LoadedProgram] = [:]
  private let logits: Activations
  private var hostRows = HostRows()

  /// Copies the head's weights to the target's devices and reserves its memory there.
  ///
  /// - Parameters:
  ///   - target: what it goes on from.
  ///   - limits: sizes of one pass and of the K/V memory, with as many blocks as the target uses.
  ///   - progress: called with the share of the weights that is on the devices, from 0 to 1.
  /// - Throws: `ModelFileError` when the head does not fit the target; `RunnerError` for a head that devices do not
  ///   compute; `PJRTError` when they lack the memory.
  package init(
    _ head: Head, on target: PJRTModelRunner, limits: RunnerLimits, progress: (Double) -> Void = { _ in }
  ) throws {
    let session = target.session
    let plan = try HeadPlan(head, on: target.program, limits: limits, options: session.options)
    (program, planner, capacity, self.target) = (plan.program, plan.planner, plan.capacity, target)
    (vocabularySize, tappedLayers) = (target.vocabularySize, plan.program.taps)
    let upload = WeightUpload(
      client: session.client, checkpoint: head.checkpoint, configuration: head.configuration.layers,
      element: session.element, partitionCount: program.partitionCount)
    weights = try upload.buffers(of: program.parameters.all, progress: progress)
    let cacheCount = 2 * head.configuration.layers.layerCount
    caches = try session.buffers(of: program.emptyCache, count: cacheCount)
    streams = try session.buffers(of: program.emptyStreams, count: 1)
    logits = try Activations(rowCapacity: limits.logitRows, columns: target.vocabularySize)
    let elementBytes = session.element.byteCount
    memory = RunnerMemory(
      packedWeights: program.parameters.all.reduce(0) { $0 + $1.byteCount(elementBytes) },
      keyValueCache: program.cacheType.count * elementBytes * cacheCount + program.streamsType.count * 4)
    // What every request needs first.
    for size in planner.sizes.prefix(session.options.rowBuckets.count) {
      _ = try (join(size.rows), body(size), output(size.rows))
    }
  }

  /// Joins the target's streams on the devices, as many rows at a time as a program takes.
  package func take(_ streams: [Activations], _ shares: [StreamShare]) throws(RunnerError) {
    guard streams.count == tappedLayers.count else {
      throw RunnerError(description: "a head takes \(tappedLayers.count) streams; found \(streams.count)")
    }
    var places: [(row: Int, slot: Int32)] = []
    for share in shares {
      try share.check(blockCount: capacity.blockCount, blockSize: capacity.blockSize)
      for (offset, row) in share.rows.enumerated() {
        places.append((row, planner.slot(of: share.firstPosition + offset, in: share.blocks)))
      }
    }
    let sizes = planner.buckets.map { $0.lanes * $0.rowsPerLane }
    let most = sizes[sizes.count - 1]
    for first in stride(from: 0, to: places.count, by: most) {
      let part = places[first..<min(first + most, places.count)]
      do throws(PJRTError) {
        try take(streams, Array(part), rows: sizes.first { $0 >= part.count } ?? most)
      } catch { throw RunnerError(description: "\(error)") }
    }
  }

  private func take(
    _ streams: [Activations], _ places: [(row: Int, slot: Int32)], rows: Int
  ) throws(PJRTError) {
    let (client, columns) = (target.session.client, program.configuration.targetHiddenSize)
    let join = try join(rows)
    var taps = PJRTBuffers(client)
    for stream in streams {
      var floats: [Float] = []
      floats.reserveCapacity(rows * columns)
      for place in places { floats += stream.row(place.row) }
      floats += Array(repeating: 0, count: rows * columns - floats.count)
      taps.append(try client.upload(floats, shape: [rows, columns]))
    }
    taps.append(try client.upload(slots(places.map(\.slot), rows: rows), shape: [rows]))
    var arguments = try Self.take(&self.streams)
    arguments.append(taps)
    self.streams = try run(join, program.parameters.joining, arguments)
  }

  private func run(
    _ program: LoadedProgram, _ places: HeadParameters.Places, _ inputs: consuming PJRTBuffers
  ) throws(PJRTError) -> PJRTBuffers {
    try program.executable.run(target.weights, at: places.shared, and: weights, at: places.own, inputs)
  }

  /// Slots of rows that are there, then those of rows that are not.
  private func slots(_ slots: [Int32], rows: Int) -> [Int32] {
    slots + (slots.count..<rows).map(planner.spareSlot)
  }

  /// Runs the pass in pieces of fixed sizes; only then are outputs kept as streams, as rows of the pass go on from what the
  /// pass found.
  package func run(_ pass: Pass) throws(RunnerError) -> PassResult {
    try pass.check(against: capacity, vocabularySize: vocabularySize, choosing: choosing)
    let pieces = planner.passes(for: pass.batch)
    do {
      var residuals = PJRTBuffers(target.session.client)
      for piece in pieces {
        let residual = try residual(of: piece)
        if !piece.wanted.isEmpty { residuals.append(residual) }
      }
      for piece in pieces where !piece.wanted.isEmpty {
        try readLogits(of: piece, residuals.removeFirst(1))
      }
    } catch { throw RunnerError(description: "\(error)") }
    return PassResult(logits: logits)
  }

  /// Computes a piece's rows and keeps their keys and values; gives the residual stream.
  private func residual(of pass: StaticPass) throws(PJRTError) -> PJRTBuffers {
    let (client, rows) = (target.session.client, [pass.size.rows])
    let body = try body(pass.size)
    var inputs = try client.upload(pass.tokens, shape: rows)
    inputs.append(try client.upload(pass.positions, shape: rows))
    inputs.append(try client.upload(pass.slots, shape: rows))
    inputs.append(try client.upload(pass.tables, shape: [pass.size.lanes, pass.tables.count / pass.size.lanes]))
    inputs.append(try client.upload(planner.slotsBefore(pass), shape: rows))
    var arguments = try takeState()
    arguments.append(inputs)
    var results = try run(body, program.parameters.body, arguments)
    takeBack(&results)
    return results
  }

  /// Reads the logits of rows that want some, and keeps what a guess after them goes on from.
  private func readLogits(of pass: StaticPass, _ residual: consuming PJRTBuffers) throws(PJRTError) {
    let rows = pass.size.rows
    let output = try output(rows)
    var own = (0..<rows).map(planner.spareSlot)
    for wanted in pass.wanted { own[wanted.row] = pass.slots[wanted.row] }
    let slots = try target.session.client.upload(own, shape: [rows])
    var arguments = try Self.take(&streams)
    arguments.append(residual)
    arguments.append(slots)
    var results = try run(output, program.parameters.output, arguments)
    streams = results.removeFirst(1)
    try hostRows.read(results, 0, of: pass.wanted, rows: rows, into: logits)
  }

  /// Hands keys and values, then the streams, to a program; whoever runs it puts them back.
  func takeState() throws(PJRTError) -> PJRTBuffers {
    var state = try Self.take(&caches)
    state.append(try Self.take(&streams))
    return state
  }

  /// Takes keys and values, then the streams, from a program's first results.
  func takeBack(_ results: inout PJRTBuffers) {
    caches = results.removeFirst(2 * program.configuration.layers.layerCount)
    streams = results.removeFirst(1)
  }

  private static func take(_ buffers: inout PJRTBuffers?) throws(PJRTError) -> PJRTBuffers {
    guard let taken = buffers.take() else {
      throw .reported(operation: "run a program", message: "the head's memory went with a pass that failed; start anew")
    }
    return taken
  }

  private func join(_ rows: Int) throws(PJRTError) -> LoadedProgram {
    if let known = joins[rows] { return known }
    let loaded = try target.session.load(program.join(rows: rows))
    joins[rows] = loaded
    return loaded
  }

  private func body(_ size: ProgramSize) throws(PJRTError) -> LoadedProgram {
    if let known = bodies[size] { return known }
    let loaded = try target.session.load(program.body(size))
    bodies[size] = loaded
    return loaded
  }

  private func output(_ rows: Int) throws(PJRTError) -> LoadedProgram {
    if let known = outputs[rows] { return known }
    let loaded = try target.session.load(program.output(rows: rows))
    outputs[rows] = loaded
    return loaded
  }
}
