extension ServingFigures {
  /// How records are summed up.
  package struct Summing: Sendable {
    /// From 0 to 100; at most 100.
    package var percentiles: [Double] = [90, 99]
    package var objectives = ServingObjectives()

    package init() {}
  }

  /// The figures of the `runs` made one after another, over those of their requests that `isIncluded` names.
  package init(
    _ runs: [LoadRun], _ summing: Summing, speculation: SpeculationFigures?,
    isIncluded: (RequestRecord) -> Bool = { _ in true }
  ) {
    let included = runs.map { $0.records.filter(isIncluded) }
    let records = included.flatMap { $0 }
    let completed = records.filter(\.isComplete)
    let duration = runs.reduce(0) { $0 + $1.duration }
    let input = completed.reduce(0) { $0 + $1.inputTokens }
    let output = completed.reduce(0) { $0 + $1.outputTokens }
    func perSecond(_ count: Int) -> Double { duration > 0 ? Double(count) / duration : 0 }
    self.init(
      duration: duration, completed: completed.count, failed: records.count - completed.count,
      totalInputTokens: input, totalOutputTokens: output, requestThroughput: perSecond(completed.count),
      requestGoodput: summing.objectives.isEmpty
        ? nil : perSecond(completed.count { summing.objectives.areMet(by: $0) }),
      outputThroughput: perSecond(output), totalTokenThroughput: perSecond(input + output),
      maxOutputTokensPerSecond: Self.mostTokensInASecond(records),
      maxConcurrentRequests: included.map(Self.mostAtOneTime).max() ?? 0,
      latencies: Self.latencies(of: completed, summing.percentiles),
      speculation: speculation ?? Self.speculation(in: completed),
      tokensPerStepEstimate: completed.reduce(into: StepEstimate()) { $0.add($1.events) }.tokensPerStep,
      failures: Self.failures(in: records))
  }

  private static func latencies(
    of records: [RequestRecord], _ percentiles: [Double]
  ) -> [ServingMetric: LatencySummary] {
    var histograms: [ServingMetric: LatencyHistogram] = [:]
    func add(_ metric: ServingMetric, _ seconds: Double) {
      histograms[metric, default: LatencyHistogram()].add(seconds)
    }
    for record in records {
      if let first = record.timeToFirstToken { add(.ttft, first) }
      if let perToken = record.timePerOutputToken { add(.tpot, perToken) }
      for gap in record.eventGaps { add(.itl, gap) }
      for gap in record.tokenGaps { add(.itlByToken, gap) }
      add(.e2el, record.latency)
      add(.clientQueueTime, record.start - record.arrival)
    }
    return histograms.compactMapValues { $0.summary(percentiles: percentiles) }
  }

  /// The largest count of tokens among the whole seconds after the first request's start.
  private static func mostTokensInASecond(_ records: [RequestRecord]) -> Double {
    guard let start = records.map(\.start).min() else { return 0 }
    var counts: [Int: Int] = [:]
    for event in records.filter(\.isComplete).flatMap(\.events) {
      counts[Int(event.time - start), default: 0] += event.tokens
    }
    return Double(counts.values.max() ?? 0)
  }

  private static func mostAtOneTime(_ records: [RequestRecord]) -> Int {
    let changes = records.flatMap { [($0.start, 1), ($0.end, -1)] }.sorted { ($0.0, $0.1) < ($1.0, $1.1) }
    var (running, most) = (0, 0)
    for (_, change) in changes {
      running += change
      most = max(most, running)
    }
    return most
  }

  private static func speculation(in records: [RequestRecord]) -> SpeculationFigures? {
    SpeculationFigures.sum(records.map(\.speculation)).flatMap { $0.draftTokens > 0 ? $0 : nil }
  }

  private static func failures(in records: [RequestRecord]) -> [FailureCount] {
    struct Kind: Hashable {
      let kind: RequestFailure.Kind
      let status: Int?
    }
    let grouped = Dictionary(grouping: records.compactMap(\.failure)) { Kind(kind: $0.kind, status: $0.status) }
    return grouped.map {
      FailureCount(kind: $0.kind, status: $0.status, count: $1.count, example: $1.first?.description ?? "")
    }.sorted { ($0.count, $1.kind.rawValue) > ($1.count, $0.kind.rawValue) }
  }
}
