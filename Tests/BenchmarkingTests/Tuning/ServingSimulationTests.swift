import Decoding
import Inference
import Measurement
import TestSupport
import Testing
import Tokenization
import Tuning

@Suite struct ServingSimulationTests {
  /// A model in which a pass of n rows takes `first + (n - 1) * row` seconds, whatever else.
  private static func passes(_ first: Double, _ row: Double) -> PassTimeModel {
    PassTimeModel(
      (1...40).flatMap { rows in
        [1, rows].map { logitRows in
          PassSample(
            rows: rows, logitRows: logitRows, sequences: 1, positions: 0, seconds: first + Double(rows - 1) * row)
        }
      })
  }

  private static let noOverhead = OverheadModel([])

  @Test("an answer that is guessed entirely takes a step for every window and one")
  func perfect() {
    let trace = AcceptanceTrace(offered: Array(repeating: 4, count: 21), matched: Array(repeating: 4, count: 21))
    let costs = ServingSimulation.Costs(
      target: Self.passes(1, 0), draft: Self.passes(0.1, 0), overhead: Self.noOverhead)
    let outcome = ServingSimulation(
      costs: costs, limits: .init(rows: 64, logitRows: 64, concurrency: 1), window: 4
    ).run([.init(prompt: 8, length: 21, limit: 21, trace: trace)])
    // The prompt's pass gives a token; then four windows of four and the target's own.
    #expect(outcome.tokens == 21 && outcome.steps == 5)
    #expect(abs(outcome.targetSeconds - 5) < 0.05)
    #expect(abs(outcome.draftSeconds - 4 * 4 * 0.1) < 0.05)
    #expect(abs(outcome.acceptance.meanLength - 5) < 1e-9)
  }

  @Test("requests are served as many at a time as asked for, and a batch drains at its end")
  func batches() {
    let costs = ServingSimulation.Costs(target: Self.passes(1, 0), draft: nil, overhead: Self.noOverhead)
    func steps(_ count: Int, _ concurrency: Int) -> Int {
      ServingSimulation(
        costs: costs, limits: .init(rows: 64, logitRows: 64, concurrency: concurrency), window: 0
      ).run(Array(repeating: .init(prompt: 4, length: 10, limit: 10), count: count)).steps
    }
    #expect(steps(1, 1) == 10 && steps(4, 4) == 10 && steps(3, 1) == 30)
    // The second two join a step after the first two have ended.
    #expect(steps(4, 2) == 20)
  }

  @Test("prompts longer than a pass are read in pieces, and the first token waits for the last of them")
  func prefill() {
    let costs = ServingSimulation.Costs(target: Self.passes(1, 0), draft: nil, overhead: Self.noOverhead)
    let outcome = ServingSimulation(
      costs: costs, limits: .init(rows: 16, logitRows: 16, concurrency: 1), window: 0
    ).run([.init(prompt: 40, length: 2, limit: 2)])
    #expect(outcome.steps == 4)
    #expect(abs((outcome.firstTokenSeconds.first ?? 0) - 3) < 0.05)
  }

  @Test("no tokens are proposed past the end that the request allows")
  func limit() {
    let trace = AcceptanceTrace(offered: Array(repeating: 8, count: 4), matched: Array(repeating: 8, count: 4))
    let costs = ServingSimulation.Costs(target: Self.passes(1, 0), draft: nil, overhead: Self.noOverhead)
    let outcome = ServingSimulation(
      costs: costs, limits: .init(rows: 64, logitRows: 64, concurrency: 1), window: 8
    ).run([.init(prompt: 4, length: 4, limit: 4, trace: trace)])
    #expect(outcome.acceptance.reached == [1, 1] && outcome.steps == 2)
  }

  @Test("the draft's outcomes tell how far every window would have gone")
  func outcomes() {
    var outcomes = DraftOutcomes()
    outcomes.record([5, 6, 9], at: 1, actual: [5, 6, 7])
    outcomes.record([1, 2], at: 4, actual: [1, 2, 3])
    let trace = AcceptanceTrace(outcomes, length: 6, window: 3, seed: 0)
    #expect(Array(trace.matched[1...3]) == [2, 1, 0])
    #expect(trace.matched[4] == 2 && trace.matched[5] == 1)
    var counts = PositionCounts()
    counts.replay(trace, limit: 6, window: 2)
    // From 1: two right; from 4: one is all that may follow.
    #expect(counts.reached == [2, 1] && counts.accepted == [2, 1])
  }

  @Test(
    "steps, rows and drafted rows are those of the engine itself",
    arguments: [nil, SpeculationMethod.draftModel, .ngram, .suffix])
  func engine(method: SpeculationMethod?) async throws {
    let engine = try TuningEngine(
      EngineConfiguration(model: Places.target), drafts: [Places.draft], concurrency: 1, window: 5
    ) { _, _ in }
    let prompts = ["List the planets.", "Write a JSON record for a person: Clara Weber, 34 years old."].map {
      TuningPrompt(
        category: "c",
        tokens: engine.target.tokenizer.encode("<|im_start|>user\n\($0)<|im_end|>\n<|im_start|>assistant\n"),
        outputTokens: 40)
    }
    func run(
      _ speculating: Speculating, window: Int, seed: UInt64 = 7
    ) async throws -> (run: EngineRun, outcomes: [Int: DraftOutcomes]) {
      try await engine.run(
        prompts, count: 2, speculating: speculating, window: window, concurrency: 1, seed: seed)
    }
    let reference = try await run(.plain, window: 0).run
    // Windows drawn at random, several times, tell what the draft would say at every position.
    var outcomes = [DraftOutcomes(), DraftOutcomes()]
    for round in 0..<24 {
      let found = try await run(.calibration(draft: 0), window: 5, seed: UInt64(round)).outcomes
      for (index, outcome) in found { outcomes[index].merge(outcome) }
    }
    let real = try await run(Speculating(method, draft: 0), window: method == nil ? 0 : 5).run
    #expect(real.outputs == reference.outputs)
    let traces = try prompts.indices.map { index -> AcceptanceTrace? in
      let output = reference.outputs[index]
      switch method {
      case .draftModel: return AcceptanceTrace(outcomes[index], length: output.count, window: 5, seed: 0)
      case .ngram:
        return try AcceptanceTrace(
          asking: TuningEngine.lookup, prompt: prompts[index].tokens, output: output, window: 5, request: .init(index))
      case .suffix:
        return try AcceptanceTrace(
          asking: TuningEngine.suffix, prompt: prompts[index].tokens, output: output, window: 5, request: .init(index))
      case nil, .automatic: return nil
      }
    }
    let simulation = ServingSimulation(
      costs: ServingSimulation.Costs(
        target: PassTimeModel(real.steps.map(\.target)), draft: method == .draftModel ? Self.passes(1, 0) : nil,
        overhead: OverheadModel(real.steps)),
      limits: engine.limits, window: method == nil ? 0 : 5)
    let outcome = simulation.run(
      prompts.indices.map {
        .init(
          prompt: prompts[$0].tokens.count, length: reference.outputs[$0].count, limit: 40, trace: traces[$0])
      })
    #expect(outcome.tokens == real.tokens)
    #expect(outcome.steps == real.steps.count)
    #expect(outcome.targetRows == real.steps.reduce(0) { $0 + $1.target.rows })
    #expect(outcome.draftRows == real.steps.reduce(0) { $0 + $1.drafts.reduce(0) { $0 + $1.rows } })
    #expect(outcome.acceptance.verifications == real.speculation.drafts)
  }
}
