internal import Foundation

/// `foretoken compare A B`: the same requests to both sides in turns, so that drift of machine and network cancels.
///
/// Requests go out in blocks of as many as run at one time: one block to A, the same to B, and the order turns round with
/// every block (A B, B A, A B, …). Blocks are what the intervals resample.
package struct ServingComparison: Sendable {
  package struct Plan: Sendable {
    package var a, b: ServingEndpoint
    package var workload: Workload
    /// Requests of a block, which run at one time.
    package var concurrency = 1
    /// Requests sent to each side and forgotten before.
    package var warmups = 1
    package var readyTimeoutSeconds = 60.0
    package var summing = ServingFigures.Summing()
    package var bootstrap = Bootstrap()
    /// Whether both sides must give the same answers: greedy ones.
    package var comparesOutputs = true
    package var labels: (a: String, b: String) = ("A", "B")
    /// Notes to keep in the result.
    package var metadata: [String: String] = [:]

    package init(a: ServingEndpoint, b: ServingEndpoint, workload: Workload) {
      (self.a, self.b, self.workload) = (a, b, workload)
    }

    /// Both sides are one server: its prefix cache and counters are shared.
    var isOneServer: Bool { a.baseURL == b.baseURL }
  }

  private let plan: Plan
  private let client: ServingClient
  private let generator: LoadGenerator

  /// - Parameter generator: of `client`; stopping it ends the comparison with the pairs that are whole by then.
  package init(_ plan: Plan, client: ServingClient, generator: LoadGenerator) {
    (self.plan, self.client, self.generator) = (plan, client, generator)
  }

  /// A side, ready to be asked.
  private struct Side {
    let endpoint: ServingEndpoint
    let version: String?
    let served: [String: String]?
    var runs: [(category: String, run: LoadRun)] = []
    var speculation: [String: SpeculationFigures] = [:]
  }

  /// Does it all.
  ///
  /// - Parameter onProgress: the category, and the share of requests that are done.
  /// - Throws: `RequestFailure` if a side does not get ready or refuses the first request.
  package func run(onProgress: (String, Double) -> Void = { _, _ in }) async throws -> ServingComparisonResult {
    let date = ServingBenchmark.timestamp(Date())
    var a = try await ready(plan.a)
    var b = try await ready(plan.b)
    var pairs: [String: [ComparisonPair]] = [:]
    var outputs: [String: OutputComparison] = [:]
    var done = 0
    for category in plan.workload.categories {
      let requests = plan.workload.requests.filter { $0.category == category }
      let before = await (counters(of: a), counters(of: b))
      for (turn, start) in stride(from: 0, to: requests.count, by: plan.concurrency).enumerated() {
        guard !generator.isStopped else { break }
        let block = Array(requests[start..<min(start + plan.concurrency, requests.count)])
        try await fillPrefixCache(block)
        let answers = try await ask(block, a.endpoint, b.endpoint, aFirst: turn % 2 == 0)
        a.runs.append((category, answers.a))
        b.runs.append((category, answers.b))
        done += block.count
        onProgress(category, Double(done) / Double(plan.workload.requests.count))
        for (left, right) in zip(answers.a.records, answers.b.records) where left.index == right.index {
          outputs[category, default: OutputComparison()].add(
            left, right, number: start + left.index, prompt: block[left.index].text)
        }
        if let left = ComparisonPair.Side(answers.a), let right = ComparisonPair.Side(answers.b) {
          pairs[category, default: []].append(ComparisonPair(category: category, a: left, b: right))
        }
      }
      let after = await (counters(of: a), counters(of: b))
      a.speculation[category] = after.0.flatMap { after in before.0.flatMap { after.since($0) } }
      b.speculation[category] = after.1.flatMap { after in before.1.flatMap { after.since($0) } }
    }
    return ServingComparisonResult(
      confidence: plan.bootstrap.confidence, resamples: plan.bootstrap.resamples,
      overall: category("all", plan.workload.categories.compactMap { pairs[$0] }, Self.sum(outputs, plan.workload)),
      categories: plan.workload.categories.map { category($0, [pairs[$0] ?? []], outputs[$0]) },
      a: result(a, date, plan.labels.a), b: result(b, date, plan.labels.b))
  }

  private func ready(_ endpoint: ServingEndpoint) async throws -> Side {
    let inspection = ServerInspection(client, endpoint)
    guard let first = plan.workload.requests.first else { return Side(endpoint: endpoint, version: nil, served: nil) }
    let ready =
      plan.readyTimeoutSeconds > 0
      ? try await inspection.ready(for: first, timeoutSeconds: plan.readyTimeoutSeconds) : endpoint
    let requests = (0..<plan.warmups).map { plan.workload.requests[$0 % plan.workload.requests.count] }
    _ = try await generator.run(requests, on: ready, maximumConcurrency: plan.concurrency)
    return Side(
      endpoint: ready, version: await inspection.version(), served: await inspection.served(model: ready.model))
  }

  /// On one server, the side asked second would find the prompt in the prefix cache: so both do.
  private func fillPrefixCache(_ block: [WorkloadRequest]) async throws {
    guard plan.isOneServer else { return }
    let short = block.map { request in
      var short = request
      short.outputTokens = 1
      return short
    }
    _ = try await generator.run(short, on: plan.a, maximumConcurrency: plan.concurrency)
  }

  private func ask(
    _ block: [WorkloadRequest], _ a: ServingEndpoint, _ b: ServingEndpoint, aFirst: Bool
  ) async throws -> (a: LoadRun, b: LoadRun) {
    let first = try await generator.run(block, on: aFirst ? a : b, maximumConcurrency: plan.concurrency)
    let second = try await generator.run(block, on: aFirst ? b : a, maximumConcurrency: plan.concurrency)
    return aFirst ? (first, second) : (second, first)
  }

  /// Counters that are this side's alone.
  private func counters(of side: Side) async -> SpeculationCounters? {
    plan.isOneServer ? nil : await ServerInspection(client, side.endpoint).speculationCounters()
  }

  private func category(
    _ name: String, _ strata: [[ComparisonPair]], _ outputs: OutputComparison?
  ) -> ServingComparisonResult.Category {
    func estimate(_ measure: ComparisonPair.Measure) -> ServingComparisonResult.Ratio? {
      measure.estimate(strata, plan.bootstrap)
    }
    return ServingComparisonResult.Category(
      name: name, pairs: strata.reduce(0) { $0 + $1.count }, outputThroughput: estimate(.outputThroughput),
      ttft: estimate(.ttft), tpot: estimate(.tpot), e2el: estimate(.e2el),
      outputs: plan.comparesOutputs ? outputs?.result : nil)
  }

  private static func sum(_ outputs: [String: OutputComparison], _ workload: Workload) -> OutputComparison {
    workload.categories.compactMap { outputs[$0] }.reduce(into: OutputComparison()) { $0.add($1) }
  }

  private func result(_ side: Side, _ date: String, _ label: String) -> ServingResult {
    let runs = side.runs.map(\.run)
    let speculation = plan.workload.categories.map { side.speculation[$0] }
    let total = ServingFigures(runs, plan.summing, speculation: SpeculationFigures.sum(speculation))
    return ServingResult(
      header: .init(
        date: date, backend: side.endpoint.backend.rawValue, label: label, modelID: side.endpoint.model,
        baseURL: side.endpoint.baseURL, serverVersion: side.version, served: side.served, dataset: plan.workload.name,
        numPrompts: plan.workload.requests.count, maxConcurrency: plan.concurrency,
        seed: plan.bootstrap.seed, isPartial: generator.isStopped, metadata: plan.metadata),
      total: total,
      categories: plan.workload.categories.compactMap { name in
        let own = side.runs.filter { $0.category == name }.map(\.run)
        guard !own.isEmpty else { return nil }
        return .init(
          name: name, figures: ServingFigures(own, plan.summing, speculation: side.speculation[name]))
      },
      client: .init(
        cpuUtilization: total.duration > 0 ? runs.reduce(0) { $0 + $1.cpuSeconds } / total.duration : 0,
        p99SendLagMilliseconds: 0,
        tokenCounts: Set(runs.flatMap(\.records).filter(\.isComplete).map(\.tokenCounts))
          .sorted { $0.rawValue < $1.rawValue }))
  }
}
