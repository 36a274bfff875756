internal import Decoding
package import Inference
package import Tokenization
internal import Transformer

/// Every way to speculate against plain decoding, on one engine, by workload and number of requests at a time.
package struct SpeculationBenchmark {
  /// How the requests of a run are decoded: plainly, by a method with a fixed window, or by one that chooses it itself.
  struct Way: Equatable, Sendable {
    var method: SpeculationMethod?
    var window: Int?

    static let plain = Way(), automatic = Way(method: .automatic)

    /// As results name it.
    var name: String {
      (method?.rawValue ?? "plain") + (window.map { " \($0)" } ?? "")
    }
  }

  /// What a method came to, over all rounds.
  package struct Result: Encodable, Sendable {
    package let workload, method: String
    package let concurrency: Int
    /// Medians over the rounds; the speedup is over plain decoding in the same round.
    package let tokensPerSecond, speedup: Double
    /// Half the distance between the speedups' quartiles.
    package let speedupSpread: Double
    /// The speedup with every pass of every run at the median time of passes of its size (`PassLevels`).
    package let levelledSpeedup: Double
    package let acceptanceRate, meanAcceptanceLength: Double?

    private enum CodingKeys: String, CodingKey {
      case workload, method, concurrency, speedup
      case tokensPerSecond = "tokens_per_second"
      case speedupSpread = "speedup_spread"
      case levelledSpeedup = "levelled_speedup"
      case acceptanceRate = "acceptance_rate"
      case meanAcceptanceLength = "mean_acceptance_length"
    }
  }

  private let engine: SpeculativeEngine
  private let log: StepLog
  private let ways: [Way]
  private let maximumTokens, repetitions: Int

  /// Whether every output so far was plain decoding's.
  package internal(set) var isLossless = true

  /// Loads the engine with `load`, which is to wrap runners as it is told.
  ///
  /// - Parameters:
  ///   - windows: fixed windows of the draft to compare with.
  ///   - maximumTokens: most tokens per answer.
  ///   - repetitions: rounds.
  package init(
    windows: [Int], maximumTokens: Int, repetitions: Int,
    load: (@escaping EngineAssembly.RunnerWrapper) throws -> SpeculativeEngine
  ) throws {
    let log = StepLog()
    self.log = log
    engine = try load { runner, isTarget in TimedRunner(runner, isTarget: isTarget, log: log) }
    let drafted = engine.draft?.method ?? .draftModel
    ways =
      [.plain, .automatic, Way(method: .ngram, window: 5), Way(method: .suffix, window: 10)]
      + windows.map { Way(method: drafted, window: $0) }
    self.maximumTokens = maximumTokens
    self.repetitions = repetitions
  }

  package var target: ModelSource { engine.target }
  /// Runs that `compare` makes.
  package var runsPerComparison: Int { ways.count * repetitions }

  /// Serves the prompts with every method, in an order that rotates from round to round.
  ///
  /// - Parameter progress: called after each run with the method's name.
  package mutating func compare(
    _ prompts: [[TokenID]], workload: String, concurrency: Int, progress: (String) -> Void
  ) async throws -> [Result] {
    var runs: [[EngineRun]] = ways.map { _ in [] }
    for round in 0..<repetitions {
      for place in ways.indices {
        let index = (place + round) % ways.count
        runs[index].append(try await run(prompts, ways[index], concurrency))
        progress(ways[index].name)
      }
    }
    let levels = PassLevels(runs.joined().map(\.steps))
    func levelledRate(_ runs: [EngineRun]) -> Double {
      runs.reduce(0) { $0 + Double($1.tokens) } / runs.reduce(0) { $0 + levels.seconds(of: $1.steps) }
    }
    return ways.enumerated().map { index, way in
      isLossless = isLossless && runs[index].allSatisfy { $0.outputs == runs[0][0].outputs }
      let rates = runs[index].map(\.tokensPerSecond)
      let ratios = Spread(zip(rates, runs[0]).map { $0 / $1.tokensPerSecond })
      var counts = SpeculationCounts()
      for run in runs[index] { counts.add(run.speculation) }
      return Result(
        workload: workload, method: way.name, concurrency: concurrency, tokensPerSecond: Spread(rates).median,
        speedup: ratios.median, speedupSpread: (ratios.upperQuartile - ratios.lowerQuartile) / 2,
        levelledSpeedup: levelledRate(runs[index]) / levelledRate(runs[0]),
        acceptanceRate: counts.acceptanceRate, meanAcceptanceLength: counts.meanAcceptanceLength)
    }
  }

  /// Answers the prompts, `concurrency` at a time.
  func run(_ prompts: [[TokenID]], _ way: Way, _ concurrency: Int) async throws -> EngineRun {
    let requests = prompts.map { prompt in
      var request = GenerationRequest(prompt: prompt)
      request.stopping.maximumTokens = maximumTokens
      request.stopping.endOfTextTokens = engine.target.endOfTextTokens
      if way != .automatic { request.method = way.method }
      request.window = way.method == nil ? 0 : way.window
      return request
    }
    return try await EngineRun(requests, on: engine.engine, concurrency: concurrency, log: log)
  }
}
