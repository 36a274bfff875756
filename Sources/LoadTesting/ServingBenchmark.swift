internal import Foundation

/// `foretoken bench serve`: readiness, warm-up, the runs, and their sum.
package struct ServingBenchmark: Sendable {
  package struct Plan: Sendable {
    package var endpoint: ServingEndpoint
    package var workload: Workload
    package var arrivals = ArrivalSchedule()
    /// Most requests at one time; `nil` for no limit.
    package var maximumConcurrency: Int?
    /// Requests sent and forgotten before.
    package var warmups = 0
    /// How long to wait for the server; 0 takes it as ready.
    package var readyTimeoutSeconds = 60.0
    /// Whether categories run one after another, which gives each a throughput and acceptance of its own, or mixed.
    package var mixesCategories = false
    package var summing = ServingFigures.Summing()
    package var keepsDetails = false
    package var label: String?
    package var metadata: [String: String] = [:]
    package var tokenizerID: String?
    package var seed: UInt64 = 0

    package init(endpoint: ServingEndpoint, workload: Workload) {
      self.endpoint = endpoint
      self.workload = workload
    }
  }

  /// Where it stands.
  package enum Stage: Sendable {
    /// For the server, and why.
    case waiting(RequestFailure?)
    case warmingUp
    /// The category, or `nil` for all of them mixed; answers over the whole benchmark.
    case running(category: String?, LoadProgress)
  }

  private let plan: Plan
  private let client: ServingClient
  private let generator: LoadGenerator

  /// - Parameter generator: of `client`; stopping it ends the benchmark with what there is by then.
  package init(_ plan: Plan, client: ServingClient, generator: LoadGenerator) {
    (self.plan, self.client, self.generator) = (plan, client, generator)
  }

  /// Does it all.
  ///
  /// - Throws: `RequestFailure` if the server does not get ready or refuses the first request.
  package func run(onProgress: (Stage) -> Void = { _ in }) async throws -> ServingResult {
    let date = Self.timestamp(Date())
    let endpoint = try await readyEndpoint(onProgress)
    let inspection = ServerInspection(client, endpoint)
    let version = await inspection.version()
    let served = await inspection.served(model: endpoint.model)
    try await warmUp(endpoint, onProgress)

    let phases = self.phases
    var runs: [LoadRun] = []
    var categories: [ServingResult.Category] = []
    var speculation: SpeculationFigures?
    var before = await inspection.speculationCounters()
    for phase in phases {
      let done = runs.reduce((records: 0, failed: 0, pieces: 0)) { sum, run in
        (sum.records + run.records.count, sum.failed + run.records.count { !$0.isComplete }, sum.pieces)
      }
      var run = try await generator.run(
        phase.requests, on: endpoint, arrivals: plan.arrivals, maximumConcurrency: plan.maximumConcurrency
      ) { progress in
        onProgress(
          .running(
            category: phase.category,
            LoadProgress(
              finished: done.records + progress.finished, failed: done.failed + progress.failed,
              total: plan.workload.requests.count, pieces: progress.pieces)))
      }
      run.unfinished = phase.requests.count - run.records.count
      let after = await inspection.speculationCounters()
      let counted = after.flatMap { after in before.flatMap { after.since($0) } }
      before = after
      speculation = SpeculationFigures.sum([speculation, counted])
      if let category = phase.category, !run.records.isEmpty {
        categories.append(.init(name: category, figures: ServingFigures([run], plan.summing, speculation: counted)))
      }
      runs.append(run)
    }
    if phases.first?.category == nil {
      categories = plan.workload.categories.map { name in
        .init(name: name, figures: ServingFigures(runs, plan.summing, speculation: nil) { $0.category == name })
      }
    }
    return result(
      runs, categories, ServingFigures(runs, plan.summing, speculation: speculation), date, version, served,
      endpoint)
  }

  /// Requests that run together.
  private var phases: [(category: String?, requests: [WorkloadRequest])] {
    let categories = plan.workload.categories
    if plan.mixesCategories && categories.count > 1 { return [(nil, plan.workload.requests)] }
    return categories.map { name in (name, plan.workload.requests.filter { $0.category == name }) }
  }

  private func readyEndpoint(_ onProgress: (Stage) -> Void) async throws -> ServingEndpoint {
    guard plan.readyTimeoutSeconds > 0, let first = plan.workload.requests.first else { return plan.endpoint }
    onProgress(.waiting(nil))
    return try await ServerInspection(client, plan.endpoint).ready(
      for: first, timeoutSeconds: plan.readyTimeoutSeconds
    ) { onProgress(.waiting($0)) }
  }

  private func warmUp(_ endpoint: ServingEndpoint, _ onProgress: (Stage) -> Void) async throws {
    guard plan.warmups > 0, !plan.workload.requests.isEmpty else { return }
    onProgress(.warmingUp)
    let requests = (0..<plan.warmups).map { plan.workload.requests[$0 % plan.workload.requests.count] }
    _ = try await generator.run(requests, on: endpoint, maximumConcurrency: plan.maximumConcurrency)
  }

  private func result(
    _ runs: [LoadRun], _ categories: [ServingResult.Category], _ total: ServingFigures, _ date: String,
    _ version: String?, _ served: [String: String]?, _ endpoint: ServingEndpoint
  ) -> ServingResult {
    let records = runs.flatMap(\.records)
    var lag = LatencyHistogram()
    if plan.arrivals.isOpen, plan.maximumConcurrency == nil {
      for record in records { lag.add(record.start - record.arrival) }
    }
    let cpu = runs.reduce(0) { $0 + $1.cpuSeconds }
    let sources = Set(records.filter(\.isComplete).map(\.tokenCounts)).sorted { $0.rawValue < $1.rawValue }
    var header = ServingResult.Header(
      date: date, backend: endpoint.backend.rawValue, label: plan.label, modelID: endpoint.model,
      tokenizerID: plan.tokenizerID, baseURL: endpoint.baseURL, serverVersion: version, served: served,
      dataset: plan.workload.name,
      numPrompts: plan.workload.requests.count, maxConcurrency: plan.maximumConcurrency, seed: plan.seed,
      isPartial: runs.contains { $0.unfinished > 0 }, metadata: plan.metadata)
    header.note(plan.arrivals)
    return ServingResult(
      header: header, total: total, categories: categories,
      client: .init(
        cpuUtilization: total.duration > 0 ? cpu / total.duration : 0,
        p99SendLagMilliseconds: lag.summary(percentiles: [99], withDistribution: false)?.milliseconds(at: 99) ?? 0,
        tokenCounts: sources),
      details: plan.keepsDetails ? ServingResult.Details(records) : nil)
  }

  /// As vLLM writes it: `20261121-150405`; UTC.
  static func timestamp(_ date: Date) -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "UTC")
    formatter.dateFormat = "yyyyMMdd-HHmmss"
    return formatter.string(from: date)
  }
}
