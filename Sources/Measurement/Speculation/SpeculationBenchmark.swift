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
    package let temperature: Double
    /// Medians over the rounds; the speedup is over plain decoding in the same round.
    package let tokensPerSecond, speedup: Double
    /// Half the distance between the speedups' quartiles.
    package let speedupSpread: Double
    /// The speedup with every pass of every run at the median time of passes of its size (`PassLevels`).
    package let levelledSpeedup: Double
    /// Plain decoding's mean time per output token after the first over the method's, over all requests that have several:
    /// what reading the prompt takes is not in it.
    package let perTokenSpeedup: Double?
    /// Of the passes with proposals.
    package let acceptanceRate, meanAcceptanceLength: Double?
    /// Tokens that a sequence grows by in a pass that decides on any, with proposals or without.
    package let tokensPerPass: Double?

    package var isPlain: Bool { method == Way.plain.name }

    private enum CodingKeys: String, CodingKey {
      case workload, method, concurrency, temperature, speedup
      case tokensPerSecond = "tokens_per_second"
      case speedupSpread = "speedup_spread"
      case levelledSpeedup = "levelled_speedup"
      case perTokenSpeedup = "tpot_speedup"
      case acceptanceRate = "acceptance_rate"
      case meanAcceptanceLength = "mean_acceptance_length"
      case tokensPerPass = "tokens_per_pass"
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

  /// Serves the prompts with every method, in turns and an order that rotates: prompt by prompt where one is served at a
  /// time, so that a host whose pace changes slows all methods alike, else all prompts at once.
  ///
  /// - Parameters:
  ///   - temperature: of all requests; their seeds are their places.
  ///   - progress: called after each turn with the method's name and how much of a run the turn was.
  package mutating func compare(
    _ prompts: [[TokenID]], workload: String, concurrency: Int, temperature: Double = 0,
    progress: (String, Double) -> Void
  ) async throws -> Comparison {
    let all = prompts.indices
    let turns = concurrency == 1 && !all.isEmpty ? all.map { $0..<$0 + 1 } : [all]
    var runs: [[EngineRun]] = ways.map { _ in [] }
    for round in 0..<repetitions {
      for (number, places) in turns.enumerated() {
        for place in ways.indices {
          let index = (place + number + round) % ways.count
          let run = try await run(prompts, at: places, ways[index], concurrency, temperature: temperature)
          if number == 0 { runs[index].append(run) } else { runs[index][round].append(run) }
          progress(ways[index].name, Double(places.count) / Double(max(all.count, 1)))
        }
      }
    }
    isLossless = isLossless && runs.joined().allSatisfy { $0.outputs == runs[0][0].outputs }
    return Comparison(
      workload: workload, concurrency: concurrency, temperature: temperature, methods: ways.map(\.name), runs: runs)
  }

  /// Answers the prompts, or those at some places, `concurrency` at a time.
  func run(
    _ prompts: [[TokenID]], at places: Range<Int>? = nil, _ way: Way, _ concurrency: Int, temperature: Double = 0
  ) async throws -> EngineRun {
    let requests = (places ?? prompts.indices).map { place in
      var request = GenerationRequest(prompt: prompts[place])
      (request.sampling.temperature, request.sampling.seed) = (temperature, UInt64(place))
      request.stopping.maximumTokens = maximumTokens
      request.stopping.endOfTextTokens = engine.target.endOfTextTokens
      if way != .automatic { request.method = way.method }
      request.window = way.method == nil ? 0 : way.window
      return request
    }
    return try await EngineRun(requests, on: engine.engine, concurrency: concurrency, log: log)
  }
}
