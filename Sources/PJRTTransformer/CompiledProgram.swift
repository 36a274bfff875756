package import ModelFiles
internal import PJRT
internal import StableHLO
package import Transformer

/// One of a model's programs, compiled ahead.
package struct CompiledProgram: Sendable, Equatable {
  /// The module's name: "body", "body_tapped", "head", "choose", "choose_sampling", "cache", "speculate" or
  /// "speculate_sampling"; of heads "cache", "streams", "join", "head_body" or "head_output".
  package let name: String
  /// Rows of a pass; `nil` for a program that has none.
  package let rows: Int?
  /// Positions that its rows can look back to; `nil` where they do not look back.
  package let context: Int?
  /// What it took to compile or load it.
  package let seconds: Double
  /// Whether an earlier start had compiled it.
  package let wasKept: Bool
  /// Whether the next start will find it.
  package let isKept: Bool
}

extension PJRTSession {
  /// Compiles all programs that a runner of these limits can need; weights are not read.
  ///
  /// - Parameters:
  ///   - chooses: whether it decodes without speculation, and so chooses tokens on the devices.
  ///   - head: what goes on from its streams.
  ///   - each: called with every program when it is ready, and the share of them that is, 0 to 1.
  /// - Throws: `RunnerError` for a model that the devices cannot share; `PJRTError` when the compiler fails.
  package func compile(
    _ configuration: ModelConfiguration, limits: RunnerLimits, chooses: Bool = false, head: Head? = nil,
    each: (CompiledProgram, Double) -> Void
  ) throws {
    let plan = try plan(configuration, limits: limits)
    let choices = chooses ? plan.choices(samples: PJRTSpeculator.samples(on: client.platform)) : []
    let taps = head?.configuration.taps(layerCount: configuration.layerCount) ?? []
    try compile(plan.programs(tapping: taps) + choices, each: each)
  }

  /// Compiles all programs that a head on a target can need.
  ///
  /// - Throws: as `PJRTHeadRunner` does.
  package func compile(
    _ head: (head: Head, limits: RunnerLimits), on target: (configuration: ModelConfiguration, limits: RunnerLimits),
    each: (CompiledProgram, Double) -> Void
  ) throws {
    try compile(plan(head, on: plan(target.configuration, limits: target.limits)).programs, each: each)
  }

  /// Compiles all programs in which a draft and a target can run together, `window` tokens at a time.
  ///
  /// - Throws: as `PJRTSpeculator` does.
  package func compileSpeculation(
    target: (configuration: ModelConfiguration, limits: RunnerLimits),
    draft: (configuration: ModelConfiguration, limits: RunnerLimits), window: Int,
    each: (CompiledProgram, Double) -> Void
  ) throws {
    let target = try plan(target.configuration, limits: target.limits)
    let draft = try plan(draft.configuration, limits: draft.limits)
    try compileSpeculation(target, (.model(draft.program), draft.planner), window: window, each: each)
  }

  /// The same with a head as the draft.
  package func compileSpeculation(
    target: (configuration: ModelConfiguration, limits: RunnerLimits), head: (head: Head, limits: RunnerLimits),
    window: Int, each: (CompiledProgram, Double) -> Void
  ) throws {
    let target = try plan(target.configuration, limits: target.limits)
    let head = try plan(head, on: target)
    try compileSpeculation(target, (.head(head.program), head.planner), window: window, each: each)
  }

  private func compileSpeculation(
    _ target: DecoderPlan, _ draft: (program: DraftProgram, planner: PassPlanner), window: Int,
    each: (CompiledProgram, Double) -> Void
  ) throws {
    let planner = try PJRTSpeculator.planner(target: target.planner, draft: draft.planner, window: window)
    let writer = SpeculationProgram(target: target.program, draft: draft.program)
    let kinds = PJRTSpeculator.samples(on: client.platform) ? [false, true] : [false]
    let sizes = kinds.flatMap { planner.sizes(samples: $0) }
    try compile(
      sizes.map {
        DecoderPlan.Entry(program: writer.program($0), rows: $0.target.rows, context: $0.target.context)
      }, each: each)
  }

  private func plan(_ configuration: ModelConfiguration, limits: RunnerLimits) throws(RunnerError) -> DecoderPlan {
    try DecoderPlan(configuration, limits: limits, options: options, element: element)
  }

  private func plan(_ head: (head: Head, limits: RunnerLimits), on target: DecoderPlan) throws -> HeadPlan {
    try HeadPlan(head.head, on: target.program, limits: head.limits, options: options)
  }

  private func compile(_ programs: [DecoderPlan.Entry], each: (CompiledProgram, Double) -> Void) throws {
    for (index, entry) in programs.enumerated() {
      let started = ContinuousClock.now
      let loaded = try load(entry.program)
      let ready = CompiledProgram(
        name: entry.program.name, rows: entry.rows, context: entry.context,
        seconds: (ContinuousClock.now - started) / .seconds(1), wasKept: loaded.isFromCache, isKept: loaded.isKept)
      each(ready, Double(index + 1) / Double(programs.count))
    }
  }
}
