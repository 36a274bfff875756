internal import Foundation
internal import JSON

/// Finds out for a running server, which cannot be reloaded, whether a smaller window than its own would do better.
///
/// Acceptance by position comes from `/metrics`, TPOT from requests at every concurrency; `WindowExtrapolation` does the
/// rest. A server that takes a window per request (Foretoken) is measured without speculation too, and the window found
/// is verified.
package struct EndpointTuner: Sendable {
  /// What to find out.
  package struct Plan: Sendable {
    /// Where requests go; its model is known.
    package var endpoint: ServingEndpoint
    /// What is asked.
    package var workload: Workload
    /// Requests at one time.
    package var concurrencies: [Int]
    /// The server's window; `nil` to take it from the counters.
    package var window: Int?
    /// d over T(1) where plain decoding cannot be measured.
    package var draftShare = 0.1
    /// Rounds.
    package var repetitions = 2
    /// Limits on latency.
    package var objectives = TuningResult.Objectives()
    /// What the machine costs.
    package var price: Price?
    /// Draft and method, for the configuration to write.
    package var candidate = TuningResult.Candidate(method: "draft_model", draft: nil, window: 0)
    /// How long to wait for the server.
    package var readyTimeoutSeconds = 60.0
    /// The command line.
    package var command = ""

    /// A plan.
    package init(endpoint: ServingEndpoint, workload: Workload, concurrencies: [Int]) {
      self.endpoint = endpoint
      self.workload = workload
      self.concurrencies = concurrencies
    }
  }

  /// How requests are sent.
  private enum Mode: Hashable {
    /// As the server is set.
    case present
    /// With this window, as Foretoken takes it.
    case window(Int)
  }

  private let plan: Plan
  private let client: ServingClient
  private let generator: LoadGenerator

  /// - Parameter generator: of `client`.
  package init(_ plan: Plan, client: ServingClient, generator: LoadGenerator) {
    var plan = plan
    plan.concurrencies = Set(plan.concurrencies).sorted()
    self.plan = plan
    self.client = client
    self.generator = generator
  }

  /// Measures, works out, verifies where that is possible.
  ///
  /// - Throws: `RequestFailure` if the server does not answer, `TuningFailure` if it does not speculate.
  package func run(progress: (String, Double) -> Void) async throws -> TuningResult {
    let takesWindows = await takesWindows()
    let modes: [Mode] = takesWindows ? [.present, .window(0)] : [.present]
    var measured = try await measure(modes, part: "Measuring", progress: progress)
    let found = try extrapolations(measured, takesWindows: takesWindows)
    if takesWindows {
      var chosen: [Int: [Mode]] = [:]
      for (concurrency, one) in found where one.best > 0 && one.best < one.rates.count {
        chosen[concurrency] = [.window(one.best)]
      }
      for (key, runs) in try await measure(chosen, part: "Verifying", progress: progress) { measured[key] = runs }
    }
    return result(measured, found, takesWindows: takesWindows)
  }

  private struct Key: Hashable {
    let concurrency: Int
    let mode: Mode
  }

  private func measure(
    _ modes: [Mode], part: String, progress: (String, Double) -> Void
  ) async throws -> [Key: [ServingResult]] {
    try await measure(
      Dictionary(uniqueKeysWithValues: plan.concurrencies.map { ($0, modes) }), part: part, progress: progress)
  }

  /// Runs the workload in turns.
  private func measure(
    _ modes: [Int: [Mode]], part: String, progress: (String, Double) -> Void
  ) async throws -> [Key: [ServingResult]] {
    var measured: [Key: [ServingResult]] = [:]
    let total = Double(plan.repetitions * modes.values.reduce(0) { $0 + $1.count })
    var done = 0.0
    for round in 0..<plan.repetitions {
      for concurrency in plan.concurrencies {
        let turns = modes[concurrency] ?? []
        for place in turns.indices {
          let mode = turns[(place + round) % turns.count]
          progress("\(part), \(concurrency) at a time", done / max(total, 1))
          done += 1
          measured[Key(concurrency: concurrency, mode: mode), default: []].append(
            try await serve(mode, concurrency: concurrency))
        }
      }
    }
    return measured
  }

  private func serve(_ mode: Mode, concurrency: Int) async throws -> ServingResult {
    var endpoint = plan.endpoint
    if case .window(let window) = mode {
      endpoint.extraBody["speculative"] =
        window == 0 ? ["enabled": false] : ["num_speculative_tokens": .integer(window)]
    }
    var benchmark = ServingBenchmark.Plan(endpoint: endpoint, workload: plan.workload)
    benchmark.maximumConcurrency = concurrency
    benchmark.mixesCategories = true
    benchmark.readyTimeoutSeconds = plan.readyTimeoutSeconds
    let result = try await ServingBenchmark(benchmark, client: client, generator: generator).run()
    guard result.total.completed > 0 else {
      let reason = result.total.failures.first?.example ?? "nothing was answered"
      throw TuningFailure(description: "no request succeeded at \(plan.endpoint.baseURL): \(reason)")
    }
    return result
  }

  /// Whether a request that asks for no speculation gets none: the server's counters stand still.
  private func takesWindows() async -> Bool {
    guard let request = plan.workload.requests.first else { return false }
    var endpoint = plan.endpoint
    endpoint.extraBody["speculative"] = ["enabled": false]
    var short = request
    short.outputTokens = 32
    let inspection = ServerInspection(client, endpoint)
    guard let before = await inspection.speculationCounters(),
      (try? await generator.run([short], on: endpoint))?.records.first?.isComplete == true,
      let after = await inspection.speculationCounters()
    else { return false }
    return after.drafts == before.drafts
  }

  // MARK: - Working out

  private func extrapolations(
    _ measured: [Key: [ServingResult]], takesWindows: Bool
  ) throws -> [Int: WindowExtrapolation] {
    var cycles: [(x: Double, y: Double)] = []
    var found: [Int: (rates: [Double], seconds: Double)] = [:]
    for concurrency in plan.concurrencies {
      let results = measured[Key(concurrency: concurrency, mode: .present)] ?? []
      guard let figures = Self.speculation(results), figures.drafts > 0 else {
        throw TuningFailure(
          description:
            "\(plan.endpoint.baseURL)/metrics counted no proposals (vllm:spec_decode_num_drafts) during the workload; expected a server that speculates"
        )
      }
      var rates = figures.acceptanceRatePerPosition
      let meanWindow = OutsideNumbers.count((Double(figures.draftTokens) / Double(figures.drafts)).rounded(.up))
      let window = plan.window ?? min(meanWindow, OutsideNumbers.mostPositions)
      rates = Array(rates.prefix(window)) + Array(repeating: 0, count: max(0, window - rates.count))
      let seconds = Self.secondsPerToken(results)
      found[concurrency] = (rates, seconds)
      cycles.append((Double(concurrency * (window + 1)), seconds * (1 + rates.reduce(0, +))))
    }
    let row = max(0, WindowExtrapolation.slope(cycles))
    var extrapolations: [Int: WindowExtrapolation] = [:]
    for (concurrency, one) in found {
      let plain = measured[Key(concurrency: concurrency, mode: .window(0))] ?? []
      extrapolations[concurrency] =
        takesWindows
        ? WindowExtrapolation(
          rates: one.rates, secondsPerToken: one.seconds, plainSecondsPerToken: Self.secondsPerToken(plain))
        : WindowExtrapolation(
          rates: one.rates, secondsPerToken: one.seconds, draftShare: plan.draftShare,
          rowSeconds: row * Double(concurrency))
    }
    return extrapolations
  }

  private static func speculation(_ results: [ServingResult]) -> SpeculationFigures? {
    results.compactMap(\.total.speculation).reduce(into: nil as SpeculationFigures?) { sum, figures in
      if sum == nil { sum = figures } else { sum?.add(figures) }
    }
  }

  private static func secondsPerToken(_ results: [ServingResult]) -> Double {
    let means = results.compactMap { $0.total.latencies[.tpot]?.mean }
    return means.isEmpty ? 0 : Spread(means).median / 1000
  }

  // MARK: - Result

  private func result(
    _ measured: [Key: [ServingResult]], _ found: [Int: WindowExtrapolation], takesWindows: Bool
  ) -> TuningResult {
    var entries: [TuningResult.Entry] = []
    for concurrency in plan.concurrencies {
      guard let extrapolation = found[concurrency] else { continue }
      let present = measured[Key(concurrency: concurrency, mode: .present)] ?? []
      for window in 0...extrapolation.rates.count {
        let mode: Mode = window == extrapolation.rates.count ? .present : .window(window)
        entries.append(
          entry(
            window, concurrency, extrapolation, present: present,
            runs: measured[Key(concurrency: concurrency, mode: mode)] ?? [],
            plain: measured[Key(concurrency: concurrency, mode: .window(0))] ?? []))
      }
    }
    for index in entries.indices { entries[index].finish(price: plan.price, objectives: plan.objectives) }
    let results = measured.values.flatMap { $0 }
    let completed = Double(max(results.reduce(0) { $0 + $1.total.completed }, 1))
    let version = results.first?.header.serverVersion
    return TuningResult(
      createdAt: Date.now.formatted(.iso8601), command: plan.command, source: .endpoint,
      machine: TuningResult.Machine(name: plan.endpoint.baseURL + (version.map { ", version \($0)" } ?? "")),
      target: TuningResult.Model(name: plan.endpoint.model),
      drafts: plan.candidate.draft.map { [TuningResult.Model(name: $0)] } ?? [],
      workload: TuningResult.Workload(
        name: plan.workload.name, requests: plan.workload.requests.count,
        promptTokens: Double(results.reduce(0) { $0 + $1.total.totalInputTokens }) / completed,
        outputTokens: Double(results.reduce(0) { $0 + $1.total.totalOutputTokens }) / completed),
      concurrencies: plan.concurrencies, objectives: plan.objectives, passTimes: [],
      acceptance: acceptance(measured), entries: entries, price: plan.price, draftMemory: [],
      breakEvenConcurrency: TuningChooser.breakEvenConcurrency(entries, plan.concurrencies),
      assumptions: assumptions(found, takesWindows: takesWindows),
      choice: TuningChooser.choice(entries, plan.concurrencies, objectives: plan.objectives))
  }

  private func entry(
    _ window: Int, _ concurrency: Int, _ extrapolation: WindowExtrapolation, present: [ServingResult],
    runs: [ServingResult], plain: [ServingResult]
  ) -> TuningResult.Entry {
    let candidate =
      window == 0
      ? .plain
      : TuningResult.Candidate(method: plan.candidate.method, draft: plan.candidate.draft, window: window)
    var entry = TuningResult.Entry(candidate: candidate, concurrency: concurrency)
    let now = Self.performance(present)
    // A request's time is TTFT + (n − 1) TPOT; throughput changes with it.
    let tokens = present.first.map { Double($0.total.totalOutputTokens) / Double(max($0.total.completed, 1)) } ?? 1
    func seconds(_ perToken: Double) -> Double { now.timeToFirstToken + max(tokens - 1, 0) * perToken }
    func rate(_ window: Int) -> Double {
      now.tokensPerSecond * seconds(now.timePerOutputToken) / seconds(extrapolation.secondsPerToken(window))
    }
    if !present.isEmpty, seconds(now.timePerOutputToken) > 0 {
      entry.predicted = TuningResult.Performance(
        tokensPerSecond: rate(window), timeToFirstToken: now.timeToFirstToken,
        timePerOutputToken: extrapolation.secondsPerToken(window))
      entry.predictedSpeedup = rate(window) / rate(0)
    }
    if window > 0 {
      entry.meanAcceptanceLength = extrapolation.length(window)
      entry.breakEvenLength = extrapolation.breakEvenLength(window)
    }
    guard !runs.isEmpty else { return entry }
    let performance = Self.performance(runs)
    entry.measured = performance
    entry.measuredTokensPerSecond = Spread(runs.map(\.total.outputThroughput))
    entry.measuredSpeedup = TuningResult.Interval(
      ratios: zip(runs, plain).map { $0.total.outputThroughput / $1.total.outputThroughput })
    if let predicted = entry.predicted {
      entry.predictionError = predicted.tokensPerSecond / performance.tokensPerSecond - 1
    }
    return entry
  }

  private static func performance(_ results: [ServingResult]) -> TuningResult.Performance {
    func median(_ value: (ServingResult) -> Double?) -> Double? {
      let values = results.compactMap(value)
      return values.isEmpty ? nil : Spread(values).median
    }
    return TuningResult.Performance(
      tokensPerSecond: median { $0.total.outputThroughput } ?? 0,
      timeToFirstToken: (median { $0.total.latencies[.ttft]?.mean } ?? 0) / 1000,
      timePerOutputToken: (median { $0.total.latencies[.tpot]?.mean } ?? 0) / 1000,
      timeToFirstTokenP90: median { $0.total.latencies[.ttft]?.milliseconds(at: 90) }.map { $0 / 1000 },
      timePerOutputTokenP90: median { $0.total.latencies[.tpot]?.milliseconds(at: 90) }.map { $0 / 1000 })
  }

  private func acceptance(_ measured: [Key: [ServingResult]]) -> [TuningResult.Acceptance] {
    let results = plan.concurrencies.flatMap { measured[Key(concurrency: $0, mode: .present)] ?? [] }
    guard let figures = Self.speculation(results), figures.drafts > 0 else { return [] }
    let reached = [figures.drafts] + figures.acceptedPerPosition.dropLast()
    let positions = zip(figures.acceptedPerPosition, reached).filter { $0.1 > 0 }
    return [
      TuningResult.Acceptance(
        candidate: TuningResult.Candidate(
          method: plan.candidate.method, draft: plan.candidate.draft, window: positions.count),
        byPosition: positions.map { Double($0.0) / Double($0.1) }, counts: positions.map(\.1),
        meanLength: figures.acceptanceLength ?? 1)
    ]
  }

  private func assumptions(_ found: [Int: WindowExtrapolation], takesWindows: Bool) -> [String] {
    var list = [
      "Windows larger than the server's own are not looked at: nothing is known of acceptance past its last position.",
      "Acceptance at a position is taken not to depend on the window, and every proposal to cost the same time.",
    ]
    if plan.candidate.method == "draft_model", plan.candidate.draft == nil {
      list.append("A server does not say which draft it has: --draft-model names it, so that the configuration does.")
    }
    guard !takesWindows else {
      return list + ["Plain decoding and the window found were measured: the server takes a window per request."]
    }
    list.append(
      "Extrapolated: this server's speed without speculation was not measured, as it takes no window per request.")
    list.append(
      String(
        format:
          "A draft step is taken to cost %.0f %% of a plain pass (--draft-cost), a row of the pass what TPOT over concurrency shows.",
        plan.draftShare * 100))
    return list
  }
}
