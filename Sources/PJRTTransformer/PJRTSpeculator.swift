internal import ModelFiles
internal import PJRT
internal import StableHLO
package import Transformer

/// Drafts, verifies and chooses in one program: the host sends what it knows and gets tokens.
///
/// It works on the weights and the memory of two runners, which go on to serve what it cannot do. The target's streams that a
/// head reads stay on the devices.
package final class PJRTSpeculator {
  /// What drafts.
  package enum Draft {
    case model(PJRTModelRunner)
    case head(PJRTHeadRunner)

    var planner: PassPlanner {
      switch self {
      case .model(let runner): runner.planner
      case .head(let runner): runner.planner
      }
    }

    var program: DraftProgram {
      switch self {
      case .model(let runner): .model(runner.program)
      case .head(let runner): .head(runner.program)
      }
    }
  }

  /// Tokens that are drafted.
  package let window: Int
  /// Whether it can draw tokens at a temperature: noise takes double precision, which not every device has.
  package let samples: Bool

  private let target: PJRTModelRunner
  private let draft: Draft
  private let planner: SpeculationPlanner
  private let writer: SpeculationProgram
  private var programs: [SpeculationSize: LoadedProgram] = [:]

  /// What became of a lane.
  package struct Outcome: Sendable, Equatable {
    /// The target's choices: for the first position, and for each after a draft as if that stood.
    package let chosen: [Int32]
    /// What was drafted, one less.
    package let drafted: [Int32]
  }

  /// Compiles the program that drafts `window` tokens at the shortest context length, to be shared by two runners of one session.
  ///
  /// - Throws: `RunnerError` when the target's passes have too few rows for such windows; `PJRTError` when the compiler
  ///   fails.
  package init(target: PJRTModelRunner, draft: Draft, window: Int) throws {
    (self.target, self.draft, self.window) = (target, draft, window)
    planner = try Self.planner(target: target.planner, draft: draft.planner, window: window)
    writer = SpeculationProgram(target: target.program, draft: draft.program)
    samples = Self.samples(on: target.session.client.platform)
    _ = try program(planner.sizes(samples: false)[0])
  }

  static func samples(on platform: String) -> Bool { ["cpu", "cuda", "rocm"].contains(platform) }

  static func planner(
    target: PassPlanner, draft: PassPlanner, window: Int
  ) throws(RunnerError) -> SpeculationPlanner {
    guard let planner = SpeculationPlanner(target: target, draft: draft, window: window) else {
      let lanes = target.buckets[target.buckets.count - 1].lanes
      throw RunnerError(
        description:
          "fused speculation verifies \(window) tokens for \(lanes) requests in one pass; it needs --pjrt-rows "
          + "\((window + 1) * lanes) or more"
      )
    }
    return planner
  }

  /// Runs the lanes; one outcome for each, in the same order.
  ///
  /// - Throws: `RunnerError` in the device's words. The K/V memory of both models may be gone then.
  package func run(_ lanes: [SpeculationLane]) throws(RunnerError) -> [Outcome] {
    var outcomes = lanes.map { _ in Outcome(chosen: [], drafted: []) }
    for pass in planner.passes(for: lanes) {
      let tokens: [Int32]
      do throws(PJRTError) { tokens = try run(pass) } catch { throw RunnerError(description: "\(error)") }
      let rounds = pass.size.rounds
      for (place, lane) in pass.lanes.enumerated() {
        let first = place * 2 * rounds
        let chosen = tokens[first..<first + lane.window + 1]
        guard chosen.allSatisfy({ (0..<Int32(target.vocabularySize)).contains($0) }) else {
          throw RunnerError(description: "the device chose no token: the logits are not numbers")
        }
        outcomes[lane.index] = Outcome(
          chosen: Array(chosen), drafted: Array(tokens[first + rounds..<first + rounds + lane.window]))
      }
    }
    return outcomes
  }

  /// Choices and drafts: `[lanes, 2 · rounds]`.
  private func run(_ pass: SpeculationPass) throws(PJRTError) -> [Int32] {
    let loaded = try program(pass.size)
    let inputs = try upload(pass)
    var arguments = try target.takeCaches()
    let places = Array(target.program.parameters.all.indices)
    var results: PJRTBuffers
    switch draft {
    case .model(let draft):
      arguments.append(try draft.takeCaches())
      arguments.append(inputs)
      results = try loaded.executable.run(
        target.weights, at: places, and: draft.weights, at: Array(draft.program.parameters.all.indices), arguments)
      target.caches = results.removeFirst(2 * target.configuration.layerCount)
      draft.caches = results.removeFirst(2 * draft.configuration.layerCount)
    case .head(let head):
      arguments.append(try head.takeState())
      arguments.append(inputs)
      results = try loaded.executable.run(
        target.weights, at: places, and: head.weights, at: head.program.parameters.own, arguments)
      target.caches = results.removeFirst(2 * target.configuration.layerCount)
      head.takeBack(&results)
    }
    var tokens = [Int32](repeating: 0, count: pass.size.lanes * 2 * pass.size.rounds)
    try results.read(0, into: &tokens)
    return tokens
  }

  private func upload(_ pass: SpeculationPass) throws(PJRTError) -> PJRTBuffers {
    let client = target.session.client
    let (lanes, rounds, rows) = (pass.size.lanes, pass.size.rounds, pass.size.target.rows)
    var inputs = try client.upload(pass.tokens, shape: [lanes])
    inputs.append(try client.upload(pass.targetPositions, shape: [rows]))
    inputs.append(try client.upload(pass.targetSlots, shape: [rows]))
    inputs.append(try client.upload(pass.targetTables, shape: [lanes, pass.targetTables.count / lanes]))
    inputs.append(try client.upload(pass.draftPositions, shape: [rounds, lanes]))
    inputs.append(try client.upload(pass.draftSlots, shape: [rounds, lanes]))
    inputs.append(try client.upload(pass.draftTables, shape: [lanes, pass.draftTables.count / lanes]))
    if case .head = draft {
      let (reading, known) = (pass.reading, [lanes * rounds])
      inputs.append(try client.upload(reading.tokens, shape: known))
      inputs.append(try client.upload(reading.positions, shape: known))
      inputs.append(try client.upload(reading.slots, shape: known))
      inputs.append(try client.upload(reading.before, shape: known))
      inputs.append(try client.upload(reading.last, shape: [lanes]))
      inputs.append(try client.upload(reading.streams, shape: [rows]))
    }
    guard pass.size.samples else { return inputs }
    inputs.append(try client.upload(pass.temperatures, shape: [lanes]))
    inputs.append(try client.upload(pass.lowSeeds, shape: [lanes]))
    inputs.append(try client.upload(pass.highSeeds, shape: [lanes]))
    inputs.append(try client.upload(pass.outputPositions, shape: [rounds, lanes]))
    return inputs
  }

  private func program(_ size: SpeculationSize) throws(PJRTError) -> LoadedProgram {
    if let known = programs[size] { return known }
    let loaded = try target.session.load(writer.program(size))
    programs[size] = loaded
    return loaded
  }
}

extension PJRTSession {
  /// Whether fused programs can verify `window` tokens for each of `sequences` requests in one pass.
  ///
  /// - Throws: `RunnerError` with the rows that it takes; better before models are loaded than after.
  package func checkSpeculation(window: Int, sequences: Int) throws(RunnerError) {
    let planner = PassPlanner(
      rowBuckets: options.rowBuckets, sequences: sequences, positions: 1, blockSize: 1, blockCount: 1)
    _ = try PJRTSpeculator.planner(target: planner, draft: planner, window: window)
  }
}
