import Benchmarking

/// A tuning made up for tests.
enum TuningFixture {
  /// A candidate at a concurrency with a speedup over plain decoding's 100 tokens per second.
  static func entry(
    _ method: String, _ window: Int, at concurrency: Int, speedup: Double, isMeasured: Bool = true,
    draft: String? = nil, meets: Bool? = nil
  ) -> TuningResult.Entry {
    let candidate =
      window == 0 ? TuningResult.Candidate.plain : .init(method: method, draft: draft, window: window)
    var entry = TuningResult.Entry(candidate: candidate, concurrency: concurrency)
    let performance = TuningResult.Performance(
      tokensPerSecond: 100 * speedup, timeToFirstToken: 0.1, timePerOutputToken: 0.01 / speedup)
    entry.predicted = performance
    entry.predictedSpeedup = speedup
    if isMeasured {
      entry.measured = performance
      entry.measuredTokensPerSecond = Spread([100 * speedup])
      entry.measuredSpeedup = .init(estimate: speedup, lower: speedup * 0.95, upper: speedup * 1.05)
      entry.predictionError = 0.01
    }
    if window > 0 {
      entry.meanAcceptanceLength = 2.5
      entry.breakEvenLength = 1.4
    }
    entry.meetsObjectives = meets
    return entry
  }

  /// A whole result whose every text is `text`.
  static func result(text: String = "text") -> TuningResult {
    let entries = [1, 4].flatMap { concurrency in
      [
        entry("none", 0, at: concurrency, speedup: 1),
        entry("draft_model", 3, at: concurrency, speedup: 1.5, draft: text),
        entry("draft_model", 4, at: concurrency, speedup: 1.4, isMeasured: false, draft: text),
      ]
    }
    return TuningResult(
      createdAt: text, command: text, source: .local, machine: .init(name: text, threads: 2, kernels: text),
      target: .init(name: text, quantization: text, weightBytes: 1_000_000, keyValueBytesPerToken: 100),
      drafts: [.init(name: text, quantization: text, weightBytes: 100_000, keyValueBytesPerToken: 20)],
      workload: .init(name: text, requests: 8, promptTokens: 20, outputTokens: 100), concurrencies: [1, 4],
      objectives: .init(timeToFirstToken: 0.5),
      passTimes: [
        .init(
          model: text, isTarget: true,
          points: [
            .init(rows: 1, seconds: 0.01, floorSeconds: 0.008), .init(rows: 4, seconds: 0.011, floorSeconds: 0.008),
          ])
      ],
      acceptance: [
        .init(
          candidate: .init(method: "draft_model", draft: text, window: 4), category: text, byPosition: [0.9, 0.8, 0.7],
          counts: [100, 90, 72], meanLength: 3)
      ], entries: entries, price: Price(dollarsPerHour: 1.2, instance: text, source: text),
      draftMemory: [
        DraftMemory(
          draft: text, weightBytes: 100_000, keyValueBytesPerToken: 20, targetWeightBytes: 1_000_000,
          targetKeyValueBytesPerToken: 100, budgetBytes: 2_000_000)
      ], breakEvenConcurrency: 6, assumptions: [text],
      choice: .init(
        speculates: true, reason: text, method: "draft_model", draft: text, window: 3,
        windows: [.init(first: 1, last: 4, window: 3)], flags: ["--draft-model", text],
        speculativeConfig: text, values: text))
  }
}
