internal import Decoding

extension SpeculationBenchmark {
  /// A workload with every method, or several workloads put together.
  package struct Comparison: Sendable {
    let workload: String
    let concurrency: Int
    let temperature: Double
    /// As results name them; plain decoding is the first.
    let methods: [String]
    /// By method, then by round.
    let runs: [[EngineRun]]

    init(workload: String, concurrency: Int, temperature: Double, methods: [String], runs: [[EngineRun]]) {
      (self.workload, self.concurrency, self.temperature) = (workload, concurrency, temperature)
      (self.methods, self.runs) = (methods, runs)
    }

    /// As if every round had served the workloads of all `parts`, which were compared alike, one after the other; `nil`
    /// without parts.
    package init?(_ parts: [Comparison], as workload: String) {
      guard var runs = parts.first?.runs, let first = parts.first else { return nil }
      for part in parts.dropFirst() {
        for (method, rounds) in part.runs.enumerated() {
          for (round, run) in rounds.enumerated() { runs[method][round].append(run) }
        }
      }
      self.init(
        workload: workload, concurrency: first.concurrency, temperature: first.temperature, methods: first.methods,
        runs: runs)
    }

    /// What each method came to.
    package var results: [Result] {
      let levels = PassLevels(runs.joined().map(\.steps))
      func levelledRate(_ runs: [EngineRun]) -> Double {
        runs.reduce(0) { $0 + Double($1.tokens) } / runs.reduce(0) { $0 + levels.seconds(of: $1.steps) }
      }
      func meanSeconds(_ runs: [EngineRun]) -> Double? {
        let times = runs.flatMap(\.perTokenSeconds)
        return times.isEmpty ? nil : times.reduce(0, +) / Double(times.count)
      }
      let plain = meanSeconds(runs[0])
      return zip(methods, runs).map { method, rounds in
        let rates = rounds.map(\.tokensPerSecond)
        let ratios = Spread(zip(rates, runs[0]).map { $0 / $1.tokensPerSecond })
        var counts = SpeculationCounts()
        for run in rounds { counts.add(run.speculation) }
        let tokens = rounds.reduce(0.0) { $0 + Double($1.tokens) }
        let decisions = rounds.reduce(0.0) { $0 + Double($1.decisions) }
        return Result(
          workload: workload, method: method, concurrency: concurrency, temperature: temperature,
          tokensPerSecond: Spread(rates).median, speedup: ratios.median,
          speedupSpread: (ratios.upperQuartile - ratios.lowerQuartile) / 2,
          levelledSpeedup: levelledRate(rounds) / levelledRate(runs[0]),
          perTokenSpeedup: meanSeconds(rounds).flatMap { own in own > 0 ? plain.map { $0 / own } : nil },
          acceptanceRate: counts.acceptanceRate, meanAcceptanceLength: counts.meanAcceptanceLength,
          tokensPerPass: decisions > 0 ? tokens / decisions : nil)
      }
    }
  }
}
