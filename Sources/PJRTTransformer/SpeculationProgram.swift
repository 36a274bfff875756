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

/// What drafts in a fused program.
enum DraftProgram {
  case model(DecoderProgram)
  case head(HeadProgram)

  var blockSize: Int {
    switch self {
    case .model(let program): program.blockSize
    case .head(let program): program.blockSize
    }
  }
}

/// Writes the programs that draft, verify and choose in one: no logits and no single drafts go to the host.
///
/// The target's part is the very body and head of plain passes over as many rows, each finished before the next begins, so
/// that its logits are those of plain decoding.
struct SpeculationProgram {
  let target: DecoderProgram
  let draft: DraftProgram

  /// Takes the weights of target and draft, the memory of both, and for the lanes: the last known tokens `[lanes]`;
  /// positions and slots `[rows]` and tables of the target; positions and slots `[rounds, lanes]` and tables of the draft;
  /// for a head tokens, positions, slots and slots of the positions before of what it reads `[lanes · rounds]`, the last
  /// rows of that `[lanes]` and slots of the target's streams `[rows]`; to sample also temperatures `[lanes]`, the seeds'
  /// halves `[lanes]` and output positions `[rounds, lanes]`.
  ///
  /// The draft's memory is its caches, and of a head the streams after them. Gives the memory of both, and by lane the
  /// target's choices, then the drafts: `[lanes, 2 · rounds]`.
  func program(_ size: SpeculationSize) -> Program {
    var builder = ProgramBuilder(
      size.samples ? "speculate_sampling" : "speculate", partitionCount: target.partitionCount)
    let model = DecoderGraph(target, weights: Array(target.parameters.all.indices), prefix: "target.", &builder)
    let drafting = DraftGraph(draft, beside: model, &builder)
    var targetCaches = model.caches(&builder)
    var memory = drafting.memory(firstResult: targetCaches.count, &builder)
    let inputs = SpeculationInputs(size, target: target, draft: draft, &builder)
    let noise = inputs.seeds.map {
      DeviceSampler.noise(
        $0.seeds, positions: $0.positions, vocabulary: target.configuration.vocabularySize, &builder)
    }
    let choose = DraftChoice(
      vocabularySize: target.configuration.vocabularySize, noise: noise, temperatures: inputs.temperatures)
    let zeros = builder.splat(UInt64(0), TensorType([size.rounds, size.lanes], .int32))
    let drafted =
      switch drafting {
      case .model(let graph): Self.draft(by: graph, &memory, inputs, choose, into: zeros, &builder)
      case .head(let graph, _): Self.draft(by: graph, &memory, inputs, choose, into: zeros, &builder)
      }

    let rows = inputs.targetRows(drafted: drafted, &builder)
    var tapped = drafting.taps.map { (layer: $0, stream: Value?.none) }
    let stream = model.residual(rows, &targetCaches, &builder) { layer, stream in
      for index in tapped.indices where tapped[index].layer == layer { tapped[index].stream = stream }
    }
    let residual = builder.barrier(stream)
    let logits = builder.barrier(model.logits(residual, &builder))
    let chosen = targetChoices(logits, noise, size, temperatures: inputs.temperatures, &builder)
    if case .head(let graph, _) = drafting, let slots = inputs.reading?.streams {
      let joined = graph.joined(tapped.map { $0.stream ?? residual }, &builder)
      let streams = memory.removeLast()
      memory.append(builder.scatter(streams, slots, joined))
    }
    let tokens = builder.concatenate([chosen, drafted], dimension: 1)
    return builder.program(
      returning: targetCaches.map { ($0, DecoderProgram.cacheSplit) } + drafting.splits(of: memory) + [(tokens, nil)])
  }

  /// Drafts by a model, one round more than there are drafts; gives `[lanes, rounds]`.
  private static func draft(
    by graph: DecoderGraph, _ memory: inout [Value], _ inputs: SpeculationInputs, _ choose: DraftChoice,
    into zeros: Value, _ builder: inout ProgramBuilder
  ) -> Value {
    let rounds = builder.loop(count: inputs.size.rounds, memory + [inputs.lastTokens, zeros]) {
      builder, round, values in
      var caches = Array(values.dropLast(2))
      let rows = inputs.draftRows(round: round, tokens: values[caches.count], &builder)
      let residual = graph.residual(rows, &caches, &builder)
      let logits = graph.logits(residual, &builder)
      let tokens = choose.tokens(logits, round: round, &builder)
      return caches + [tokens, builder.replacing(round, of: values[values.count - 1], by: tokens)]
    }
    memory = Array(rounds.prefix(memory.count))
    return builder.transpose(rounds[rounds.count - 1], [1, 0])
  }

  /// Drafts by a head: a pass over what it has yet to read, then a row for every further draft, which goes on from the
  /// stream of the one before. What it computes of drafts is written over; the streams are left as they are. Gives
  /// `[lanes, rounds]`, of which the last are zeros.
  private static func draft(
    by graph: HeadGraph, _ memory: inout [Value], _ inputs: SpeculationInputs, _ choose: DraftChoice,
    into zeros: Value, _ builder: inout ProgramBuilder
  ) -> Value {
    guard let reading = inputs.reading else { preconditionFailure("a head reads before it drafts") }
    let streams = memory.removeLast()
    let known = graph.residual(
      inputs.knownRows(reading), after: builder.gather(streams, reading.before), &memory, &builder)
    let last = builder.gather(known, reading.last)
    let first = builder.splat(UInt64(0), TensorType([], .int32))
    let tokens = choose.tokens(graph.logits(last, &builder), round: first, &builder)
    let start = [graph.recycled(last, &builder), tokens, builder.replacing(first, of: zeros, by: tokens)]
    // A loop of no rounds would be one that some compilers refuse.
    let rest = inputs.size.window - 1
    let end =
      rest == 0
      ? memory + start
      : builder.loop(count: rest, memory + start) { builder, round, values in
        var caches = Array(values.dropLast(3))
        let next = builder.apply(.add, round, builder.splat(UInt64(1), round.type))
        let rows = inputs.draftRows(round: next, tokens: values[caches.count + 1], &builder)
        let residual = graph.residual(rows, after: values[caches.count], &caches, &builder)
        let tokens = choose.tokens(graph.logits(residual, &builder), round: next, &builder)
        return caches + [
          graph.recycled(residual, &builder), tokens,
          builder.replacing(next, of: values[values.count - 1], by: tokens),
        ]
      }
    memory = Array(end.prefix(memory.count)) + [streams]
    return builder.transpose(end[end.count - 1], [1, 0])
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

/// The graph of what drafts.
private enum DraftGraph {
  case model(DecoderGraph)
  /// With the layers of the target that it taps.
  case head(HeadGraph, taps: [Int])

  init(_ program: DraftProgram, beside target: DecoderGraph, _ builder: inout ProgramBuilder) {
    switch program {
    case .model(let model):
      self = .model(
        DecoderGraph(model, weights: Array(model.parameters.all.indices), prefix: "draft.", &builder))
    case .head(let head):
      self = .head(HeadGraph(head, beside: target, prefix: "draft.", &builder), taps: head.taps)
    }
  }

  var taps: [Int] {
    switch self {
    case .model: []
    case .head(_, let taps): taps
    }
  }

  /// What it keeps, as arguments whose memory the results from `firstResult` on take.
  func memory(firstResult: Int, _ builder: inout ProgramBuilder) -> [Value] {
    switch self {
    case .model(let graph): graph.caches(firstResult: firstResult, &builder)
    case .head(let graph, _): graph.memory(firstResult: firstResult, &builder)
    }
  }

  /// What it keeps, as results: devices share keys and values, and each has all streams.
  func splits(of memory: [Value]) -> [(value: Value, split: Int?)] {
    let caches: ArraySlice<Value>
    switch self {
    case .model: caches = memory[...]
    case .head: caches = memory.dropLast()
    }
    return caches.map { ($0, DecoderProgram.cacheSplit) } + memory[caches.endIndex...].map { ($0, nil) }
  }
}

/// How drafts are chosen: as the target chooses, so that they guess its draw.
private struct DraftChoice {
  /// Of the target.
  let vocabularySize: Int
  /// `[rounds, lanes, vocabulary]`, and `[lanes]`; `nil` in a program that only takes the largest logit.
  let noise, temperatures: Value?

  /// The tokens of one round, `[lanes]`; of ids that the target lacks none.
  func tokens(_ logits: Value, round: Value, _ builder: inout ProgramBuilder) -> Value {
    let vocabulary = min(logits.shape[1], vocabularySize)
    let known = builder.slice(logits, [0..<logits.shape[0], 0..<vocabulary])
    guard let noise, let temperatures else { return DeviceSampler.argmax(known, &builder) }
    let here = builder.reshape(
      builder.gather(noise, builder.reshape(round, [1])), [noise.shape[1], noise.shape[2]])
    let shared = builder.slice(here, [0..<here.shape[0], 0..<vocabulary])
    let scores = DeviceSampler.scores(known, noise: shared, temperatures: temperatures, &builder)
    return DeviceSampler.argmax(scores, &builder)
  }
}

extension ProgramBuilder {
  /// `rows` with the row of index `place` replaced.
  ///
  /// - Parameter place: a scalar.
  fileprivate mutating func replacing(_ place: Value, of rows: Value, by row: Value) -> Value {
    let isHere = compare(.equal, iota(rows.type, dimension: 0), broadcast(place, rows.shape, dimensions: []))
    return select(isHere, broadcast(row, rows.shape, dimensions: [1]), rows)
  }
}

/// What a fused program is told about its lanes.
private struct SpeculationInputs {
  /// What a head reads before it drafts, as in `SpeculationPass.Reading`.
  struct Reading {
    let tokens, positions, slots, before, last, streams: Value
  }

  let lastTokens: Value
  /// `[lanes]`, and what the noise is drawn by; `nil` in a program that only takes the largest logit.
  let temperatures: Value?
  let seeds: (seeds: DeviceSampler.Seeds, positions: Value)?
  /// `nil` for a draft model.
  let reading: Reading?
  let size: SpeculationSize
  private let targetPositions, targetSlots, targetTables, draftPositions, draftSlots, draftTables: Value

  init(
    _ size: SpeculationSize, target: DecoderProgram, draft: DraftProgram, _ builder: inout ProgramBuilder
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
    switch draft {
    case .model: reading = nil
    case .head:
      let known = type([lanes * rounds])
      reading = Reading(
        tokens: builder.argument("read.tokens", known), positions: builder.argument("read.positions", known),
        slots: builder.argument("read.slots", known), before: builder.argument("read.slots.before", known),
        last: builder.argument("read.last", type([lanes])),
        streams: builder.argument("read.streams", type([size.target.rows])))
    }
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

  /// What a head reads, as many rows per lane as there are rounds.
  func knownRows(_ reading: Reading) -> LayerGraph.Rows {
    LayerGraph.Rows(
      size: ProgramSize(lanes: size.lanes, rowsPerLane: size.rounds, context: size.draftContext),
      tokens: reading.tokens, positions: reading.positions, slots: reading.slots, tables: draftTables)
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
