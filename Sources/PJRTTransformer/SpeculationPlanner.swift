/// One request in a fused pass.
package struct SpeculationLane: Sendable, Equatable {
  /// The last known token, whose keys and values neither model has.
  package var token: Int32
  package var position: Int
  /// Most tokens to draft; blocks reach that far.
  package var window: Int
  /// The target's KV blocks.
  package var targetBlocks: [Int32]
  /// The draft's; `nil` where the draft has no room for the request, which then gets the target's token alone.
  package var draftBlocks: [Int32]?
  /// How tokens are chosen: 0 for the largest logit.
  package var temperature: Double
  /// What selects the noise.
  package var seed: UInt64
  /// Output position of the first token to be chosen.
  package var outputPosition: Int
  /// Known tokens before the last that a head has yet to read, at most as many as the window has; a draft model has read
  /// all of them.
  package var unread: [Int32] = []

  package init(
    token: Int32, position: Int, window: Int, targetBlocks: [Int32], draftBlocks: [Int32]?, temperature: Double,
    seed: UInt64, outputPosition: Int
  ) {
    (self.token, self.position, self.window) = (token, position, window)
    (self.targetBlocks, self.draftBlocks) = (targetBlocks, draftBlocks)
    (self.temperature, self.seed, self.outputPosition) = (temperature, seed, outputPosition)
  }
}

/// One run of a fused program: what some lanes become.
package struct SpeculationPass {
  package let size: SpeculationSize
  /// Which lane each of the program's has, and how many of its drafts count.
  package var lanes: [(index: Int, window: Int)] = []
  /// As `SpeculationProgram` takes them; rows that are not there write to the spare blocks.
  package var tokens, targetPositions, targetSlots, targetTables, draftPositions, draftSlots, draftTables: [Int32]
  package var temperatures: [Double]
  package var lowSeeds, highSeeds, outputPositions: [UInt32]
  /// What a head reads before it drafts.
  package var reading: Reading

  /// Rows of known tokens, `[lanes · rounds]`, of each lane the last known one and those before it that are unread.
  package struct Reading: Equatable {
    package var tokens, positions, slots: [Int32]
    /// Where the streams of the positions before lie.
    package var before: [Int32]
    /// By lane: the row of the last known token.
    package var last: [Int32]
    /// Where the head keeps the streams of the target's rows, `[target's rows]`.
    package var streams: [Int32]
  }

  /// A pass without lanes.
  init(_ size: SpeculationSize, target: PassPlanner, draft: PassPlanner) {
    let rounds = size.rounds * size.lanes
    self.size = size
    tokens = Array(repeating: 0, count: size.lanes)
    targetPositions = Array(repeating: 0, count: size.target.rows)
    targetSlots = (0..<size.target.rows).map(target.spareSlot)
    targetTables = Array(
      repeating: target.spareBlock, count: size.lanes * size.target.context / target.blockSize)
    draftPositions = Array(repeating: 0, count: rounds)
    draftSlots = (0..<rounds).map(draft.spareSlot)
    draftTables = Array(repeating: draft.spareBlock, count: size.lanes * size.draftContext / draft.blockSize)
    temperatures = Array(repeating: 0, count: size.lanes)
    (lowSeeds, highSeeds) = (Array(repeating: 0, count: size.lanes), Array(repeating: 0, count: size.lanes))
    outputPositions = Array(repeating: 0, count: rounds)
    reading = Reading(
      tokens: draftPositions, positions: draftPositions, slots: draftSlots, before: draftSlots,
      last: (0..<size.lanes).map { Int32($0 * size.rounds) },
      streams: (0..<size.target.rows).map(draft.spareSlot))
  }
}

/// Puts requests into fused passes. Pure, as `PassPlanner` is, and by its rule: how far back the target looks depends on a
/// row's position alone, so a window ends where the context length of its first row does.
package struct SpeculationPlanner {
  let target, draft: PassPlanner
  let window: Int
  /// The lanes of a pass.
  private let bucket: (lanes: Int, rowsPerLane: Int)

  /// A planner; `nil` where no pass of the target has rows for a window in each lane.
  package init?(target: PassPlanner, draft: PassPlanner, window: Int) {
    guard let bucket = target.buckets.first(where: { $0.rowsPerLane > window }) else { return nil }
    (self.target, self.draft, self.window, self.bucket) = (target, draft, window, bucket)
  }

  /// All sizes that passes can have.
  func sizes(samples: Bool) -> [SpeculationSize] { target.contexts.map { size(context: $0, samples: samples) } }

  private func size(context: Int, samples: Bool) -> SpeculationSize {
    let draftContext = draft.contexts.first { $0 >= context } ?? draft.contexts[draft.contexts.count - 1]
    return SpeculationSize(
      target: ProgramSize(lanes: bucket.lanes, rowsPerLane: bucket.rowsPerLane, context: context),
      draftContext: draftContext, window: window, samples: samples)
  }

  /// The passes; their order does not matter.
  package func passes(for lanes: [SpeculationLane]) -> [SpeculationPass] {
    var (passes, first) = ([SpeculationPass](), 0)
    for context in target.contexts {
      let within = lanes.indices.filter { (first..<context).contains(lanes[$0].position) }
      for start in stride(from: 0, to: within.count, by: bucket.lanes) {
        let indices = within[start..<min(start + bucket.lanes, within.count)]
        let size = size(context: context, samples: indices.contains { lanes[$0].temperature > 0 })
        var pass = SpeculationPass(size, target: target, draft: draft)
        for index in indices { add(lanes[index], index: index, to: &pass) }
        passes.append(pass)
      }
      first = context
    }
    return passes
  }

  private func add(_ lane: SpeculationLane, index: Int, to pass: inout SpeculationPass) {
    let (size, place) = (pass.size, pass.lanes.count)
    let window = lane.draftBlocks == nil ? 0 : min(lane.window, window, size.target.context - 1 - lane.position)
    pass.lanes.append((index, window))
    pass.tokens[place] = lane.token
    for step in 0...window {
      let row = place * size.target.rowsPerLane + step
      pass.targetPositions[row] = Int32(lane.position + step)
      pass.targetSlots[row] = target.slot(of: lane.position + step, in: lane.targetBlocks)
    }
    target.fill(&pass.targetTables, lane: place, context: size.target.context, lane.targetBlocks)
    if let blocks = lane.draftBlocks {
      for step in 0...window {
        let row = step * size.lanes + place
        pass.draftPositions[row] = Int32(lane.position + step)
        pass.draftSlots[row] = draft.slot(of: lane.position + step, in: blocks)
      }
      draft.fill(&pass.draftTables, lane: place, context: size.draftContext, blocks)
      read(lane, blocks: blocks, place: place, in: &pass)
    }
    for step in 0...window {
      pass.reading.streams[place * size.target.rowsPerLane + step] = draft.slot(
        of: lane.position + step, in: lane.targetBlocks)
    }
    pass.temperatures[place] = lane.temperature
    (pass.lowSeeds[place], pass.highSeeds[place]) = (
      UInt32(truncatingIfNeeded: lane.seed), UInt32(truncatingIfNeeded: lane.seed >> 32)
    )
    for step in 0..<size.rounds {
      pass.outputPositions[step * size.lanes + place] = UInt32(lane.outputPosition + step)
    }
  }

  /// Adds the known tokens of a lane that a head reads.
  private func read(_ lane: SpeculationLane, blocks: [Int32], place: Int, in pass: inout SpeculationPass) {
    let first = lane.position - lane.unread.count
    let start = place * pass.size.rounds
    for (offset, token) in (lane.unread + [lane.token]).enumerated() {
      pass.reading.tokens[start + offset] = token
      pass.reading.positions[start + offset] = Int32(first + offset)
      pass.reading.slots[start + offset] = draft.slot(of: first + offset, in: blocks)
      pass.reading.before[start + offset] = draft.slot(of: max(0, first + offset - 1), in: blocks)
    }
    pass.reading.last[place] = Int32(start + lane.unread.count)
  }
}
