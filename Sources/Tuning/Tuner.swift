internal import Decoding
internal import Foundation
package import Inference
internal import LoadTesting
internal import Measurement
internal import ModelFiles
internal import Tensor
internal import Tokenization
internal import Transformer

/// Finds out what to speculate with on this machine, by measurement, prediction and verification.
///
/// 1. Runs with windows drawn at random in every step (*calibration*) tell what passes cost while serving, and for every
///    output position whether the draft would have been right.
/// 2. A simulation of the engine predicts every candidate at every concurrency.
/// 3. The most promising ones run, in turns with plain decoding and with further calibrations, so that all of them see
///    the same machine. Predictions are made anew from those calibrations, and compared with the runs.
package struct Tuner: Sendable {
  package struct Plan: Sendable {
    /// The target, and everything about how it is loaded.
    package var configuration: EngineConfiguration
    /// Candidate drafts: directories, or names in the Hugging Face cache.
    package var drafts: [String]
    /// The workload's name.
    package var workload: String
    /// Each answered at least once per run.
    package var prompts: [TuningPrompt]
    /// Requests at one time.
    package var concurrencies: [Int]
    package var largestWindow: Int
    /// Whether prompt lookup is a candidate, and the suffix index.
    package var (triesLookup, triesSuffix) = (false, false)
    /// Rounds of verification.
    package var repetitions = 3
    /// Candidates to verify at each concurrency, besides plain decoding and `auto`.
    package var verified = 2
    package var objectives = TuningResult.Objectives()
    package var price: Price?
    /// Memory for weights and KV cache, in bytes.
    package var memoryBudget: Int?
    /// Flags of `foretoken serve` for an engine of the same kind.
    package var servingFlags: [String] = []
    package var command = ""

    package init(
      _ configuration: EngineConfiguration, drafts: [String], workload: String, prompts: [TuningPrompt],
      concurrencies: [Int], largestWindow: Int
    ) {
      (self.configuration, self.drafts) = (configuration, drafts)
      (self.workload, self.prompts) = (workload, prompts)
      (self.concurrencies, self.largestWindow) = (concurrencies, largestWindow)
    }
  }

  private typealias Candidate = TuningResult.Candidate
  private let plan: Plan
  private let engine: TuningEngine
  private let progress: @Sendable (String, Double) -> Void

  /// Loads the models.
  package init(_ plan: Plan, progress: @escaping @Sendable (String, Double) -> Void) throws {
    var plan = plan
    plan.concurrencies = Set(plan.concurrencies).sorted()
    self.plan = plan
    self.progress = progress
    engine = try TuningEngine(
      plan.configuration, drafts: plan.drafts, concurrency: plan.concurrencies.last ?? 1, window: plan.largestWindow,
      progress: progress)
  }

  /// Measures, predicts, verifies, chooses.
  package func run() async throws -> TuningResult {
    progress("Plain decoding", 0)
    let outputs = try await referenceOutputs()
    let first = try await calibrate(outputs, part: "Calibrating", seed: 1)
    let traces = try Traces(plan, methods: engine.draftMethods, outputs, first.outcomes)
    let rough = predict(traces, first.costs)
    let runs = try await verify(shortlist(rough), outputs)
    var costs: [Int: CostsByProposer] = [:]
    for concurrency in plan.concurrencies {
      costs[concurrency] = CostsByProposer(runs.calibrations.flatMap { $0[concurrency] ?? [] })
    }
    var entries = Self.medians(runs.calibrations.map { predict(traces, $0.mapValues { CostsByProposer($0) }) })
    for (key, measured) in runs.measured {
      let place =
        entries.firstIndex { $0.candidate == key.candidate && $0.concurrency == key.concurrency }
        ?? {
          entries.append(TuningResult.Entry(candidate: key.candidate, concurrency: key.concurrency))
          return entries.count - 1
        }()
      let plain = runs.measured[RunKey(candidate: .plain, concurrency: key.concurrency)] ?? []
      entries[place].add(measured, plain: plain)
    }
    for index in entries.indices { entries[index].finish(price: plan.price, objectives: plan.objectives) }
    entries.sort { ($0.concurrency, $0.candidate.order) < ($1.concurrency, $1.candidate.order) }
    return result(entries, traces, costs, outputs)
  }

  // MARK: - Running

  /// Requests of a run: every prompt equally often, and at least two rounds of the concurrency.
  private func count(_ concurrency: Int) -> Int {
    let prompts = plan.prompts.count
    return (max(prompts, 2 * concurrency) + prompts - 1) / prompts * prompts
  }

  /// The answers, by plain decoding; what the other runs must reproduce.
  private func referenceOutputs() async throws -> [[TokenID]] {
    let run = try await engine.run(
      plan.prompts, count: plan.prompts.count, speculating: .plain, window: 0,
      concurrency: plan.concurrencies.last ?? 1, seed: 0
    ).run
    guard run.outputs.contains(where: { $0.count > 1 }) else {
      throw MeasurementFailure("every answer of the workload ended at once; there is nothing to tune for")
    }
    return run.outputs
  }

  private func run(
    _ speculating: Speculating, window: Int, concurrency: Int, seed: UInt64, outputs: [[TokenID]]
  ) async throws -> (run: EngineRun, outcomes: [Int: DraftOutcomes]) {
    let found = try await engine.run(
      plan.prompts, count: count(concurrency), speculating: speculating, window: window, concurrency: concurrency,
      seed: seed)
    for (index, output) in found.run.outputs.enumerated() where output != outputs[index % outputs.count] {
      throw MeasurementFailure(
        "speculation changed the answer to prompt \(index % outputs.count + 1), which must never happen")
    }
    return found
  }

  private struct Calibration {
    var costs: [Int: CostsByProposer] = [:]
    /// By draft, then by prompt.
    var outcomes: [[DraftOutcomes]]
  }

  /// One run per concurrency and draft whose windows are drawn at random.
  private func calibrate(_ outputs: [[TokenID]], part: String, seed: UInt64) async throws -> Calibration {
    var calibration = Calibration(
      outcomes: plan.drafts.map { _ in plan.prompts.map { _ in DraftOutcomes() } })
    let total = Double(plan.concurrencies.count * max(plan.drafts.count, 1))
    for (place, concurrency) in plan.concurrencies.enumerated() {
      var runs: [CalibrationRun] = []
      runs.append(try await plainCalibration(concurrency, outputs))
      for draft in calibrationDrafts {
        progress(part, Double(place * calibrationDrafts.count + (draft ?? 0)) / total)
        let found = try await run(
          .calibration(draft: draft), window: plan.largestWindow, concurrency: concurrency,
          seed: seed &+ UInt64(place), outputs: outputs)
        runs.append(CalibrationRun(draft: draft, steps: found.run.steps))
        guard let draft else { continue }
        for (index, outcomes) in found.outcomes {
          calibration.outcomes[draft][index % plan.prompts.count].merge(outcomes)
        }
      }
      calibration.costs[concurrency] = CostsByProposer(runs)
    }
    return calibration
  }

  private func plainCalibration(_ concurrency: Int, _ outputs: [[TokenID]]) async throws -> CalibrationRun {
    let run = try await run(.plain, window: 0, concurrency: concurrency, seed: 0, outputs: outputs).run
    return CalibrationRun(isPlain: true, steps: run.steps)
  }

  private var calibrationDrafts: [Int?] {
    plan.drafts.isEmpty ? [nil] : plan.drafts.indices.map { $0 }
  }

  private struct RunKey: Hashable {
    var candidate: TuningResult.Candidate
    var concurrency: Int
  }

  private struct VerificationRuns {
    var measured: [RunKey: [EngineRun]] = [:]
    /// Of each round, by concurrency.
    var calibrations: [[Int: [CalibrationRun]]] = []
  }

  /// Runs the shortlisted candidates, in turns with calibrations; in every round the order begins elsewhere.
  private func verify(_ shortlist: [Int: [Candidate]], _ outputs: [[TokenID]]) async throws -> VerificationRuns {
    enum Turn {
      case candidate(TuningResult.Candidate)
      case calibration(Int?)
      case plainCalibration
    }
    var runs = VerificationRuns()
    var done = 0
    let total =
      plan.repetitions * plan.concurrencies.reduce(0) { $0 + (shortlist[$1]?.count ?? 0) + calibrationDrafts.count + 1 }
    for round in 0..<plan.repetitions {
      runs.calibrations.append([:])
      for concurrency in plan.concurrencies {
        let turns =
          (shortlist[concurrency] ?? []).map { Turn.candidate($0) } + calibrationDrafts.map { Turn.calibration($0) }
          + [.plainCalibration]
        for place in turns.indices {
          progress("Verifying, \(concurrency) at a time", Double(done) / Double(total))
          done += 1
          switch turns[(place + round) % turns.count] {
          case .candidate(let candidate):
            let run = try await run(
              Speculating(candidate.method, draft: draftIndex(candidate)), window: candidate.window,
              concurrency: concurrency, seed: 0, outputs: outputs
            ).run
            runs.measured[RunKey(candidate: candidate, concurrency: concurrency), default: []].append(run)
          case .plainCalibration:
            runs.calibrations[round][concurrency, default: []].append(try await plainCalibration(concurrency, outputs))
          case .calibration(let draft):
            let run = try await run(
              .calibration(draft: draft), window: plan.largestWindow, concurrency: concurrency,
              seed: UInt64(1000 + round), outputs: outputs
            ).run
            runs.calibrations[round][concurrency, default: []].append(CalibrationRun(draft: draft, steps: run.steps))
          }
        }
      }
    }
    return runs
  }

  private func draftIndex(_ candidate: Candidate) -> Int? {
    candidate.draft.flatMap { plan.drafts.firstIndex(of: $0) }
  }

  // MARK: - Predicting

  private func predict(_ traces: Traces, _ costs: [Int: CostsByProposer]) -> [TuningResult.Entry] {
    plan.concurrencies.flatMap { concurrency -> [TuningResult.Entry] in
      guard let costs = costs[concurrency] else { return [] }
      let predictor = ConcurrencyPredictor(
        plan: plan, limits: engine.limits, traces: traces, costs: costs, concurrency: concurrency,
        count: count(concurrency))
      let plain = predictor.entry(.plain, plain: nil)
      return [plain]
        + traces.candidates.flatMap { base in
          (1...plan.largestWindow).map { window in
            predictor.entry(Candidate(method: base.method, draft: base.draft, window: window), plain: plain)
          }
        }
    }
  }

  /// Of every candidate the prediction in the middle of those of all rounds: measurements are medians over rounds too.
  private static func medians(_ rounds: [[TuningResult.Entry]]) -> [TuningResult.Entry] {
    guard let first = rounds.first else { return [] }
    return first.indices.map { index in
      let entries = rounds.map { $0[index] }.sorted { $0.bestTokensPerSecond < $1.bestTokensPerSecond }
      return entries[entries.count / 2]
    }
  }

  /// Plain decoding, `auto`, and the candidates that promise most, not two neighbouring windows of one method.
  private func shortlist(_ entries: [TuningResult.Entry]) -> [Int: [Candidate]] {
    var shortlist: [Int: [Candidate]] = [:]
    for concurrency in plan.concurrencies {
      let ranked = entries.filter { $0.concurrency == concurrency && $0.candidate != .plain }
        .sorted { $0.bestTokensPerSecond > $1.bestTokensPerSecond }.map(\.candidate)
      var chosen: [Candidate] = []
      for candidate in ranked where chosen.count < plan.verified {
        let isNeighbour = chosen.contains {
          $0.method == candidate.method && $0.draft == candidate.draft && abs($0.window - candidate.window) < 2
        }
        if !isNeighbour { chosen.append(candidate) }
      }
      shortlist[concurrency] = [.plain] + chosen + [automatic]
    }
    return shortlist
  }

  /// Foretoken's own method with the first draft, or with the suffix index alone.
  private var automatic: Candidate {
    Candidate(method: .automatic, draft: plan.drafts.first, window: plan.largestWindow)
  }

  // MARK: - Result

  private func result(
    _ entries: [TuningResult.Entry], _ traces: Traces, _ costs: [Int: CostsByProposer], _ outputs: [[TokenID]]
  ) -> TuningResult {
    let (target, quantization) = (engine.models[0], engine.quantization)
    let promptTokens = plan.prompts.reduce(0) { $0 + $1.tokens.count }
    let outputTokens = outputs.reduce(0) { $0 + $1.count }
    let requests = Double(plan.prompts.count)
    let workload = TuningResult.Workload(
      name: plan.workload, requests: plan.prompts.count, promptTokens: Double(promptTokens) / requests,
      outputTokens: Double(outputTokens) / requests)
    func model(_ name: String, _ model: TuningEngine.Model) -> TuningResult.Model {
      TuningResult.Model(
        name: name, quantization: quantization, weightBytes: model.memory.packedWeights,
        keyValueBytesPerToken: model.configuration.keyValueBytesPerToken)
    }
    let drafts = zip(plan.drafts, engine.models.dropFirst()).map(model)
    let memory = zip(plan.drafts, engine.models.dropFirst()).map { name, draft in
      DraftMemory(
        draft: name, weightBytes: draft.memory.packedWeights,
        keyValueBytesPerToken: draft.configuration.keyValueBytesPerToken,
        targetWeightBytes: target.memory.packedWeights,
        targetKeyValueBytesPerToken: target.configuration.keyValueBytesPerToken, budgetBytes: plan.memoryBudget)
    }
    return TuningResult(
      createdAt: Date.now.formatted(.iso8601), command: plan.command, source: .local,
      machine: TuningResult.Machine(name: Processor.name, threads: plan.configuration.threads, kernels: engine.kernels),
      target: model(plan.configuration.model, target),
      drafts: drafts, workload: workload, concurrencies: plan.concurrencies, objectives: plan.objectives,
      passTimes: passTimes(costs, context: workload.promptTokens + workload.outputTokens / 2),
      acceptance: traces.acceptance(plan), entries: entries, price: plan.price, draftMemory: memory,
      breakEvenConcurrency: TuningChooser.breakEvenConcurrency(entries, plan.concurrencies),
      assumptions: assumptions,
      choice: TuningChooser.choice(
        entries, plan.concurrencies, objectives: plan.objectives, servingFlags: plan.servingFlags))
  }

  private var assumptions: [String] {
    var list = [
      "Every run reads its own prompts: the prefix cache is off.",
      "Requests arrive as soon as a place is free (closed loop).",
    ]
    if plan.triesSuffix { list.append("The suffix index does not remember past answers.") }
    return list
  }

  /// T(n) and d(n) while decoding at the workload's mean context, with the least that the machine allows.
  private func passTimes(_ costs: [Int: CostsByProposer], context: Double) -> [TuningResult.PassTimes] {
    zip([plan.configuration.model] + plan.drafts, engine.models).enumerated().map { index, model in
      var points: [Int: TuningResult.PassTime] = [:]
      for concurrency in plan.concurrencies {
        guard let costs = costs[concurrency], let times = index == 0 ? costs.target : costs.drafts[index - 1] else {
          continue
        }
        for rows in index == 0 ? (0...plan.largestWindow).map({ concurrency * ($0 + 1) }) : [concurrency] {
          // Of two concurrencies that reach a row count, the smaller one was measured with larger windows.
          guard points[rows] == nil else { continue }
          let floor = engine.ceilings.map {
            PassCost(
              model.1.configuration, memory: model.1.memory, cacheFormat: plan.configuration.cacheFormat, rows: rows,
              context: Int(context), logitRows: rows
            ).floor($0, isQuantised: model.1.isQuantised)
          }
          points[rows] = TuningResult.PassTime(
            rows: rows,
            seconds: times.seconds(rows: rows, logitRows: rows, positions: Double(rows) * context), floorSeconds: floor)
        }
      }
      return TuningResult.PassTimes(
        model: model.0, isTarget: index == 0, points: points.values.sorted { $0.rows < $1.rows })
    }
  }
}

/// The steps of one calibration.
struct CalibrationRun: Sendable {
  var draft: Int?
  /// Whether nothing was proposed. A target that has the caches to itself is faster.
  var isPlain = false
  var steps: [StepSample]
}

/// What passes cost at one concurrency.
struct CostsByProposer: Sendable {
  /// T(n).
  let target: PassTimeModel
  /// d(n) by draft.
  let drafts: [Int: PassTimeModel]
  /// The rest of a step.
  let overhead: OverheadModel
  /// T(n) and the rest of a step where nothing is proposed.
  let plain: (target: PassTimeModel, overhead: OverheadModel)

  /// From at least one run with proposals and one without, with at least one step each.
  init(_ all: [CalibrationRun]) {
    let alone = all.filter(\.isPlain).flatMap(\.steps)
    plain = (PassTimeModel(alone.map(\.target)), OverheadModel(alone))
    let runs = all.filter { !$0.isPlain }
    let steps = runs.flatMap(\.steps)
    target = PassTimeModel(steps.map(\.target))
    var drafts: [Int: PassTimeModel] = [:]
    for (draft, runs) in Dictionary(grouping: runs, by: \.draft) {
      let passes = runs.flatMap(\.steps).flatMap(\.drafts)
      if let draft, !passes.isEmpty { drafts[draft] = PassTimeModel(passes) }
    }
    self.drafts = drafts
    overhead = OverheadModel(steps)
  }
}
