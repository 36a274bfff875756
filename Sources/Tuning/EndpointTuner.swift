internal import Decoding
internal import Foundation
internal import JSON
package import LoadTesting
internal import Measurement

/// Finds out for a running server, which cannot be reloaded, whether a smaller window than its own would do better.
///
/// Acceptance by position comes from `/metrics`, TPOT from requests at every concurrency. A server that takes a window per
/// request (Foretoken) is measured without speculation too: `WindowExtrapolation` works out the windows between, and the
/// best is verified. Of any other server it is not known what it would reach without speculation or with another window,
/// and nothing is recommended.
package struct EndpointTuner: Sendable {
  package struct Plan: Sendable {
    /// Where requests go; its model is known.
    package var endpoint: ServingEndpoint
    package var workload: Workload
    /// Requests at one time.
    package var concurrencies: [Int]
    /// The server's window; `nil` to take it from the counters.
    package var window: Int?
    package var repetitions = 2
    package var objectives = TuningResult.Objectives()
    package var price: Price?
    /// The server's draft, for the configuration to write.
    package var draft: String?
    /// How long to wait for the server.
    package var readyTimeoutSeconds = 60.0
    package var command = ""

    package init(endpoint: ServingEndpoint, workload: Workload, concurrencies: [Int]) {
      (self.endpoint, self.workload, self.concurrencies) = (endpoint, workload, concurrencies)
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
    (self.client, self.generator) = (client, generator)
    var plan = plan
    plan.concurrencies = Set(plan.concurrencies).sorted()
    self.plan = plan
  }

  /// Measures, works out, verifies where that is possible.
  ///
  /// - Throws: `RequestFailure` if the server does not answer, `MeasurementFailure` if it does not speculate.
  package func run(progress: (String, Double) -> Void) async throws -> TuningResult {
    let takesWindows = await takesWindows()
    let modes: [Mode] = takesWindows ? [.present, .window(0)] : [.present]
    var measured = try await measure(modes, part: "Measuring", progress: progress)
    let own = try ownWindows(measured)
    guard takesWindows else { return result(measured, own.map { presentEntry($0, measured) }, unknownChoice(own)) }
    let found = own.map { one in
      WindowExtrapolation(
        rates: one.rates, secondsPerToken: Self.secondsPerToken(runs(measured, one.concurrency, .present)),
        plainSecondsPerToken: Self.secondsPerToken(runs(measured, one.concurrency, .window(0))))
    }
    var chosen: [Int: [Mode]] = [:]
    for (own, found) in zip(own, found) {
      if let found, found.best > 0, found.best < found.rates.count {
        chosen[own.concurrency] = [.window(found.best)]
      }
    }
    for (key, runs) in try await measure(chosen, part: "Verifying", progress: progress) { measured[key] = runs }
    var entries = zip(own, found).flatMap { own, found in
      found.map { windowEntries(own.concurrency, $0, measured) } ?? []
    }
    for index in entries.indices { entries[index].finish(price: plan.price, objectives: plan.objectives) }
    return result(
      measured, entries, TuningChooser.choice(entries, plan.concurrencies, objectives: plan.objectives),
      breakEven: TuningChooser.breakEvenConcurrency(entries, plan.concurrencies))
  }

  private struct Key: Hashable {
    let concurrency: Int
    let mode: Mode
  }

  private func runs(
    _ measured: [Key: [ServingResult]], _ concurrency: Int, _ mode: Mode
  ) -> [ServingResult] {
    measured[Key(concurrency: concurrency, mode: mode)] ?? []
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
      throw MeasurementFailure("no request succeeded at \(plan.endpoint.baseURL): \(reason)")
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

  /// The server's own window at one concurrency: r_i of `WindowExtrapolation` for each of its positions.
  private struct OwnWindow {
    let concurrency: Int
    let rates: [Double]
    var tokensPerVerification: Double { 1 + rates.reduce(0, +) }
  }

  private func ownWindows(_ measured: [Key: [ServingResult]]) throws -> [OwnWindow] {
    try plan.concurrencies.map { concurrency in
      guard let figures = Self.speculation(runs(measured, concurrency, .present)), figures.drafts > 0 else {
        throw MeasurementFailure(
          "\(plan.endpoint.baseURL)/metrics counted no proposals (vllm:spec_decode_num_drafts) during the workload; expected a server that speculates"
        )
      }
      let meanWindow = OutsideNumbers.count((Double(figures.draftTokens) / Double(figures.drafts)).rounded(.up))
      let window = plan.window ?? min(meanWindow, OutsideNumbers.mostPositions)
      let rates = figures.acceptanceRatePerPosition.prefix(window)
      return OwnWindow(
        concurrency: concurrency, rates: rates + Array(repeating: 0, count: max(0, window - rates.count)))
    }
  }

  private static func speculation(_ results: [ServingResult]) -> SpeculationFigures? {
    SpeculationFigures.sum(results.map(\.total.speculation))
  }

  private static func secondsPerToken(_ results: [ServingResult]) -> Double {
    let means = results.compactMap { $0.total.latencies[.tpot]?.mean }
    return means.isEmpty ? 0 : Spread(means).median / 1000
  }

  // MARK: - Result

  private func result(
    _ measured: [Key: [ServingResult]], _ entries: [TuningResult.Entry], _ choice: TuningResult.Choice,
    breakEven: Double? = nil
  ) -> TuningResult {
    let results = measured.values.flatMap { $0 }
    let completed = Double(max(results.reduce(0) { $0 + $1.total.completed }, 1))
    let version = results.first?.header.serverVersion
    return TuningResult(
      createdAt: Date.now.formatted(.iso8601), command: plan.command, source: .endpoint,
      machine: TuningResult.Machine(name: plan.endpoint.baseURL + (version.map { ", version \($0)" } ?? "")),
      target: TuningResult.Model(name: plan.endpoint.model),
      drafts: plan.draft.map { [TuningResult.Model(name: $0)] } ?? [],
      workload: TuningResult.Workload(
        name: plan.workload.name, requests: plan.workload.requests.count,
        promptTokens: Double(results.reduce(0) { $0 + $1.total.totalInputTokens }) / completed,
        outputTokens: Double(results.reduce(0) { $0 + $1.total.totalOutputTokens }) / completed),
      concurrencies: plan.concurrencies, objectives: plan.objectives, passTimes: [],
      acceptance: acceptance(measured), entries: entries, price: plan.price, draftMemory: [],
      breakEvenConcurrency: breakEven,
      assumptions: assumptions(takesWindows: measured.keys.contains { $0.mode == .window(0) }), choice: choice)
  }

  private func candidate(_ window: Int) -> TuningResult.Candidate {
    window == 0 ? .plain : TuningResult.Candidate(method: .draftModel, draft: plan.draft, window: window)
  }

  /// Every window from 0 to the server's own.
  private func windowEntries(
    _ concurrency: Int, _ extrapolation: WindowExtrapolation, _ measured: [Key: [ServingResult]]
  ) -> [TuningResult.Entry] {
    let present = runs(measured, concurrency, .present)
    return (0...extrapolation.rates.count).map { window in
      let mode: Mode = window == extrapolation.rates.count ? .present : .window(window)
      return entry(
        window, concurrency, extrapolation, present: present, runs: runs(measured, concurrency, mode),
        plain: runs(measured, concurrency, .window(0)))
    }
  }

  /// The server's own window, beside which nothing was measured.
  private func presentEntry(_ own: OwnWindow, _ measured: [Key: [ServingResult]]) -> TuningResult.Entry {
    var entry = TuningResult.Entry(candidate: candidate(own.rates.count), concurrency: own.concurrency)
    entry.meanAcceptanceLength = own.tokensPerVerification
    entry.measure(runs(measured, own.concurrency, .present), plain: [])
    entry.finish(price: plan.price, objectives: plan.objectives)
    return entry
  }

  private func unknownChoice(_ own: [OwnWindow]) -> TuningResult.Choice {
    let lengths = own.map {
      String(format: "%.2f at %d at a time", $0.tokensPerVerification, $0.concurrency)
    }
    return TuningResult.Choice(
      speculates: false,
      reason:
        "It is not known whether speculation pays here: \(plan.endpoint.baseURL) takes no window per request, so what it would reach without speculation or with another window was not measured. Known are its tokens per verification: \(lengths.joined(separator: ", ")). Compare it with a server that does not speculate (foretoken compare).",
      method: nil, window: 0, windows: [], flags: [], values: "")
  }

  private func entry(
    _ window: Int, _ concurrency: Int, _ extrapolation: WindowExtrapolation, present: [ServingResult],
    runs: [ServingResult], plain: [ServingResult]
  ) -> TuningResult.Entry {
    var entry = TuningResult.Entry(candidate: candidate(window), concurrency: concurrency)
    let now = TuningResult.Performance(present)
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
    entry.measure(runs, plain: plain)
    return entry
  }

  private func acceptance(_ measured: [Key: [ServingResult]]) -> [TuningResult.Acceptance] {
    let results = plan.concurrencies.flatMap { measured[Key(concurrency: $0, mode: .present)] ?? [] }
    guard let figures = Self.speculation(results), figures.drafts > 0 else { return [] }
    let reached = [figures.drafts] + figures.acceptedPerPosition.dropLast()
    let positions = zip(figures.acceptedPerPosition, reached).filter { $0.1 > 0 }
    return [
      TuningResult.Acceptance(
        candidate: candidate(positions.count),
        byPosition: positions.map { Double($0.0) / Double($0.1) }, counts: positions.map(\.1),
        meanLength: figures.acceptanceLength ?? 1)
    ]
  }

  private func assumptions(takesWindows: Bool) -> [String] {
    var list = [
      "Windows larger than the server's own are not looked at: nothing is known of acceptance past its last position."
    ]
    if takesWindows {
      list.append(
        "Acceptance at a position is taken not to depend on the window, and every proposal to cost the same time.")
    }
    if plan.draft == nil {
      list.append("A server does not say which draft it has: --draft-model names it, so that the configuration does.")
    }
    return list + [
      takesWindows
        ? "Plain decoding and the window found were measured: the server takes a window per request."
        : "Not measured: this server's speed without speculation and with other windows, as it takes no window per request."
    ]
  }
}

extension TuningResult.Performance {
  /// Medians over runs.
  fileprivate init(_ results: [ServingResult]) {
    func median(_ value: (ServingResult) -> Double?) -> Double? {
      let values = results.compactMap(value)
      return values.isEmpty ? nil : Spread(values).median
    }
    self.init(
      tokensPerSecond: median { $0.total.outputThroughput } ?? 0,
      timeToFirstToken: (median { $0.total.latencies[.ttft]?.mean } ?? 0) / 1000,
      timePerOutputToken: (median { $0.total.latencies[.tpot]?.mean } ?? 0) / 1000,
      timeToFirstTokenP90: median { $0.total.latencies[.ttft]?.milliseconds(at: 90) }.map { $0 / 1000 },
      timePerOutputTokenP90: median { $0.total.latencies[.tpot]?.milliseconds(at: 90) }.map { $0 / 1000 })
  }
}

extension TuningResult.Entry {
  /// Fills in what runs measured.
  ///
  /// - Parameter plain: those of plain decoding in the same rounds.
  fileprivate mutating func measure(_ runs: [ServingResult], plain: [ServingResult]) {
    guard !runs.isEmpty else { return }
    add(
      TuningResult.Performance(runs), rates: runs.map(\.total.outputThroughput),
      plain: plain.map(\.total.outputThroughput))
  }
}
