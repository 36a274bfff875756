internal import ModelFiles
internal import StableHLO

/// Sizes of one fused program.
package struct SpeculationSize: Hashable {
  /// The target's pass, of more rows per lane than the window.
  package var target: ProgramSize
  /// How far back the draft looks, in positions.
  package var draftContext: Int
  /// Tokens that are drafted.
  package var window: Int
  /// Whether lanes may have a temperature.
  package var samples: Bool

  /// Sequences.
  package var lanes: Int { target.lanes }
  /// Rounds of the draft: one more than it drafts, so that its cache has the last draft too.
  package var rounds: Int { window + 1 }
}

/// Writes the programs that draft, verify and choose in one: no logits and no single drafts go to the host.
///
/// The target's part is the very body and head of plain passes over as many rows, each finished before the next begins, so
/// that its logits are those of plain decoding.
struct SpeculationProgram {
  let target, draft: DecoderProgram

  /// Takes the weights of target and draft, the caches of both, and for the lanes: the last known tokens `[lanes]`;
  /// positions and slots `[rows]` and tables of the target; positions and slots `[rounds, lanes]` and tables of the draft;
  /// to sample also temperatures `[lanes]`, the seeds' halves `[lanes]` and output positions `[rounds, lanes]`.
  ///
  /// Gives the caches, and by lane the target's choices, then the drafts: `[lanes, 2 · rounds]`.
  func program(_ size: SpeculationSize) -> Program {
    var builder = ProgramBuilder(
      size.samples ? "speculate_sampling" : "speculate", partitionCount: target.partitionCount)
    let models = (
      target: DecoderGraph(target, weights: Array(target.parameters.all.indices), prefix: "target.", &builder),
      draft: DecoderGraph(draft, weights: Array(draft.parameters.all.indices), prefix: "draft.", &builder)
    )
    var targetCaches = models.target.caches(&builder)
    let draftCaches = models.draft.caches(firstResult: targetCaches.count, &builder)
    let inputs = SpeculationInputs(size, target: target, draft: draft, &builder)
    let noise = inputs.seeds.map {
      DeviceSampler.noise(
        $0.seeds, positions: $0.positions, vocabulary: target.configuration.vocabularySize, &builder)
    }

    let zeros = builder.splat(UInt64(0), TensorType([size.rounds, size.lanes], .int32))
    let rounds = builder.loop(count: size.rounds, draftCaches + [inputs.lastTokens, zeros]) { builder, round, values in
      var caches = Array(values.dropLast(2))
      let rows = inputs.draftRows(round: round, tokens: values[caches.count], &builder)
      let residual = models.draft.residual(rows, &caches, &builder)
      let logits = models.draft.logits(residual, &builder)
      let tokens = draftChoices(logits, noise, round: round, temperatures: inputs.temperatures, &builder)
      let drafted = values[values.count - 1]
      let isHere = builder.compare(
        .equal, builder.iota(drafted.type, dimension: 0), builder.broadcast(round, drafted.shape, dimensions: []))
      let added = builder.select(isHere, builder.broadcast(tokens, drafted.shape, dimensions: [1]), drafted)
      return caches + [tokens, added]
    }
    let drafted = builder.transpose(rounds[rounds.count - 1], [1, 0])

    let rows = inputs.targetRows(drafted: drafted, &builder)
    let residual = builder.barrier(models.target.residual(rows, &targetCaches, &builder))
    let logits = builder.barrier(models.target.logits(residual, &builder))
    let chosen = targetChoices(logits, noise, size, temperatures: inputs.temperatures, &builder)
    let caches = targetCaches + rounds.prefix(draftCaches.count)
    let tokens = builder.concatenate([chosen, drafted], dimension: 1)
    let split: Int? = DecoderProgram.cacheSplit
    return builder.program(returning: caches.map { ($0, split) } + [(tokens, nil)])
  }

  /// The draft's tokens of one round, `[lanes]`; of ids that the target lacks none.
  private func draftChoices(
    _ logits: Value, _ noise: Value?, round: Value, temperatures: Value?, _ builder: inout ProgramBuilder
  ) -> Value {
    let vocabulary = min(logits.shape[1], target.configuration.vocabularySize)
    let known = builder.slice(logits, [0..<logits.shape[0], 0..<vocabulary])
    guard let noise, let temperatures else { return DeviceSampler.argmax(known, &builder) }
    let here = builder.reshape(
      builder.gather(noise, builder.reshape(round, [1])), [noise.shape[1], noise.shape[2]])
    let shared = builder.slice(here, [0..<here.shape[0], 0..<vocabulary])
    let scores = DeviceSampler.scores(known, noise: shared, temperatures: temperatures, &builder)
    return DeviceSampler.argmax(scores, &builder)
  }

  /// The target's tokens, `[lanes, rounds]`.
  private func targetChoices(
    _ logits: Value, _ noise: Value?, _ size: SpeculationSize, temperatures: Value?, _ builder: inout ProgramBuilder
  ) -> Value {
    let vocabulary = logits.shape[1]
    let shape = [size.lanes, size.rounds]
    let byLane = builder.reshape(logits, [size.lanes, size.target.rowsPerLane, vocabulary])
    let wanted = builder.slice(byLane, [0..<size.lanes, 0..<size.rounds, 0..<vocabulary])
    let rows = builder.reshape(wanted, [size.lanes * size.rounds, vocabulary])
    guard let noise, let temperatures else {
      return builder.reshape(DeviceSampler.argmax(rows, &builder), shape)
    }
    let scores = DeviceSampler.scores(
      rows, noise: builder.reshape(builder.transpose(noise, [1, 0, 2]), rows.shape),
      temperatures: builder.reshape(builder.broadcast(temperatures, shape, dimensions: [0]), [rows.shape[0]]), &builder)
    return builder.reshape(DeviceSampler.argmax(scores, &builder), shape)
  }
}

/// What a fused program is told about its lanes.
private struct SpeculationInputs {
  let lastTokens: Value
  /// `[lanes]`, and what the noise is drawn by; `nil` in a program that only takes the largest logit.
  let temperatures: Value?
  let seeds: (seeds: DeviceSampler.Seeds, positions: Value)?
  private let size: SpeculationSize
  private let targetPositions, targetSlots, targetTables, draftPositions, draftSlots, draftTables: Value

  init(
    _ size: SpeculationSize, target: DecoderProgram, draft: DecoderProgram, _ builder: inout ProgramBuilder
  ) {
    let (lanes, rounds) = (size.lanes, size.rounds)
    func type(_ shape: [Int], _ element: ScalarType = .int32) -> TensorType { TensorType(shape, element) }
    self.size = size
    lastTokens = builder.argument("tokens", type([lanes]))
    targetPositions = builder.argument("target.positions", type([size.target.rows]))
    targetSlots = builder.argument("target.slots", type([size.target.rows]))
    targetTables = builder.argument("target.tables", type([lanes, size.target.context / target.blockSize]))
    draftPositions = builder.argument("draft.positions", type([rounds, lanes]))
    draftSlots = builder.argument("draft.slots", type([rounds, lanes]))
    draftTables = builder.argument("draft.tables", type([lanes, size.draftContext / draft.blockSize]))
    guard size.samples else {
      (temperatures, seeds) = (nil, nil)
      return
    }
    temperatures = builder.argument("temperatures", type([lanes], .float64))
    let halves = DeviceSampler.Seeds(
      low: builder.argument("seeds.low", type([lanes], .uint32)),
      high: builder.argument("seeds.high", type([lanes], .uint32)))
    seeds = (halves, builder.argument("output.positions", type([rounds, lanes], .uint32)))
  }

  /// One row per lane.
  func draftRows(round: Value, tokens: Value, _ builder: inout ProgramBuilder) -> LayerGraph.Rows {
    let place = builder.reshape(round, [1])
    return LayerGraph.Rows(
      size: ProgramSize(lanes: size.lanes, rowsPerLane: 1, context: size.draftContext), tokens: tokens,
      positions: builder.reshape(builder.gather(draftPositions, place), [size.lanes]),
      slots: builder.reshape(builder.gather(draftSlots, place), [size.lanes]), tables: draftTables)
  }

  /// The last known token of each lane and its drafts, filled up with zeros.
  ///
  /// - Parameter drafted: `[lanes, rounds]`, of which the last is not verified.
  func targetRows(drafted: Value, _ builder: inout ProgramBuilder) -> LayerGraph.Rows {
    let verified = builder.slice(drafted, [0..<size.lanes, 0..<size.window])
    var columns = [builder.reshape(lastTokens, [size.lanes, 1]), verified]
    let missing = size.target.rowsPerLane - size.rounds
    if missing > 0 { columns.append(builder.splat(UInt64(0), TensorType([size.lanes, missing], .int32))) }
    let tokens = builder.concatenate(columns, dimension: 1)
    return LayerGraph.Rows(
      size: size.target, tokens: builder.reshape(tokens, [size.target.rows]), positions: targetPositions,
      slots: targetSlots, tables: targetTables)
  }
}
