package import Decoding
package import Inference
package import Tokenization
internal import Transformer

/// Every way to speculate against plain decoding, on one engine, by workload and number of requests at a time.
package struct SpeculationBenchmark {
  /// How the requests of a run are decoded.
  package enum Method: Equatable, Sendable {
    case plain
    case automatic
    case fixed(SpeculationMethod, Int)

    /// As results name it.
    package var name: String {
      switch self {
      case .plain: "plain"
      case .automatic: "auto"
      case .fixed(let method, let window): "\(method.rawValue) \(window)"
      }
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

  struct Run {
    var seconds = 0.0
    var outputs: [[TokenID]] = []
    var speculation = SpeculationCounts()
    var steps: [StepSample] = []
    var tokens: Double { Double(outputs.reduce(0) { $0 + $1.count }) }
  }

  private let engine: SpeculativeEngine
  private let log: StepLog
  private let methods: [Method]
  private let maximumTokens: Int
  private let repetitions: Int

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
    load: (@escaping LoopParts.RunnerWrapper) throws -> SpeculativeEngine
  ) throws {
    let log = StepLog()
    self.log = log
    engine = try load { runner, isTarget in TimedRunner(runner, isTarget: isTarget, log: log) }
    methods = [.plain, .automatic, .fixed(.ngram, 5), .fixed(.suffix, 10)] + windows.map { .fixed(.draftModel, $0) }
    self.maximumTokens = maximumTokens
    self.repetitions = repetitions
  }

  /// The model that answers.
  package var target: ModelDirectory { engine.target }
  /// Runs that `compare` makes.
  package var runsPerComparison: Int { methods.count * repetitions }

  /// Serves the prompts with every method, in an order that rotates from round to round.
  ///
  /// - Parameter progress: called after each run with the method's name.
  package mutating func compare(
    _ prompts: [[TokenID]], workload: String, concurrency: Int, progress: (String) -> Void
  ) async throws -> [Result] {
    var runs: [[Run]] = methods.map { _ in [] }
    for round in 0..<repetitions {
      for place in methods.indices {
        let index = (place + round) % methods.count
        runs[index].append(try await run(prompts, methods[index], concurrency))
        progress(methods[index].name)
      }
    }
    let levels = PassLevels(runs.joined().map(\.steps))
    func levelledRate(_ runs: [Run]) -> Double {
      runs.reduce(0) { $0 + $1.tokens } / runs.reduce(0) { $0 + levels.seconds(of: $1.steps) }
    }
    return methods.enumerated().map { index, method in
      isLossless = isLossless && runs[index].allSatisfy { $0.outputs == runs[0][0].outputs }
      let rates = runs[index].map { $0.tokens / $0.seconds }
      let ratios = Spread(zip(rates, runs[0]).map { $0 / ($1.tokens / $1.seconds) })
      var counts = SpeculationCounts()
      for run in runs[index] { counts.add(run.speculation) }
      return Result(
        workload: workload, method: method.name, concurrency: concurrency, tokensPerSecond: Spread(rates).median,
        speedup: ratios.median, speedupSpread: (ratios.upperQuartile - ratios.lowerQuartile) / 2,
        levelledSpeedup: levelledRate(runs[index]) / levelledRate(runs[0]),
        acceptanceRate: counts.acceptanceRate, meanAcceptanceLength: counts.meanAcceptanceLength)
    }
  }

  /// Answers the prompts, `concurrency` at a time.
  func run(_ prompts: [[TokenID]], _ method: Method, _ concurrency: Int) async throws -> Run {
    let requests = prompts.map { prompt in
      var request = GenerationRequest(prompt: prompt)
      request.stopping.maximumTokens = maximumTokens
      request.stopping.endOfTextTokens = engine.target.endOfTextTokens
      switch method {
      case .plain: request.window = 0
      case .automatic: break
      case .fixed(let origin, let window): (request.method, request.window) = (origin, window)
      }
      return request
    }
    var run = Run()
    run.outputs = Array(repeating: [], count: requests.count)
    log.begin()
    let started = ContinuousClock.now
    try await engine.engine.generate(requests, atATime: concurrency) { index, stream in
      var (tokens, counts): ([TokenID], SpeculationCounts) = ([], SpeculationCounts())
      for await event in stream {
        switch event {
        case .token(let token): tokens.append(token.id)
        case .finished(let summary):
          counts = summary.speculation
          if case .failed(let reason) = summary.reason { throw SpeculationFailure(description: reason) }
        }
      }
      return (index, tokens, counts)
    } receive: { index, tokens, counts in
      run.outputs[index] = tokens
      run.speculation.add(counts)
    }
    run.seconds = (ContinuousClock.now - started).inSeconds
    run.steps = log.steps
    return run
  }
}

/// The engine gave up on a request.
private struct SpeculationFailure: Error, CustomStringConvertible {
  let description: String
}
