internal import ArgumentParser
internal import Benchmarking
internal import Decoding
internal import Foundation
internal import Speculation
internal import Tokenization

/// `foretoken bench speculation`: every way to speculate against plain decoding.
struct BenchSpeculation: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "speculation",
    abstract: "Compare proposers and windows with plain decoding, by workload and concurrency.",
    discussion: """
      Each round runs the workload once with every method, in an order that rotates, on one engine. Figures are \
      medians over the rounds of the ratio to the same round's plain decoding; the spread is half the distance \
      between the quartiles. Exits with 1 if any token differs from plain decoding's.
      """)

  @Option(name: [.short, .long], help: "Target.")
  var model = "Models/foretoken-reference-target"

  @Option(help: "Draft.")
  var draftModel = "Models/foretoken-reference-draft"

  @Option(parsing: .upToNextOption, help: "Requests at one time.")
  var concurrency = [1, 2, 4, 8, 16]

  @Option(parsing: .upToNextOption, help: "Fixed windows of the draft.")
  var windows = Array(1...10)

  @Option(help: "Most tokens per answer.")
  var maxTokens = 128

  @Option(help: "Prompts per round, evenly from the workload's categories; never fewer than run at one time.")
  var prompts = 8

  @Option(help: "Rounds.")
  var repetitions = 5

  @OptionGroup(title: "Memory and threads") var resources: ResourceOptions

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    for (flag, number) in [("--repetitions", repetitions), ("--prompts", prompts), ("--max-tokens", maxTokens)] {
      guard number >= 1 else { throw ValidationError("\(flag) is \(number); expected 1 or more.") }
    }
    guard !concurrency.isEmpty, concurrency.allSatisfy({ (1...256).contains($0) }) else {
      throw ValidationError("--concurrency takes numbers from 1 to 256.")
    }
    guard windows.allSatisfy({ SpeculativeConfiguration.windows.contains($0) }) else {
      throw ValidationError("--windows takes numbers from 1 to 32.")
    }
  }

  private static let workloads = [BuiltInWorkload.structured, .openEnded]

  private enum Method: Equatable {
    case plain
    case automatic
    case fixed(TokenOrigin, Int)

    var name: String {
      switch self {
      case .plain: "plain"
      case .automatic: "auto"
      case .fixed(let origin, let window): "\(origin.rawValue) \(window)"
      }
    }
  }

  private struct Run {
    var seconds = 0.0
    var outputs: [[TokenID]] = []
    var speculation = SpeculationCounts()
    var tokensPerSecond: Double { Double(outputs.reduce(0) { $0 + $1.count }) / seconds }
  }

  private struct Result: Encodable {
    let workload, method: String
    let concurrency: Int
    let tokens_per_second, speedup, speedup_spread: Double
    let acceptance_rate, mean_acceptance_length: Double?
  }

  func run() async throws {
    let most = concurrency.max() ?? 1
    var configuration = resources.configuration(for: model)
    configuration.speculation = try SpeculativeConfiguration(
      method: .automatic(draftModel: draftModel),
      window: max(windows.max() ?? 1, SpeculativeConfiguration.defaultLargestWindow))
    configuration.sequences = most
    // The same prompts come again and again; each run is to read its own.
    configuration.sharesPrefixes = false
    let engine = try resources.load(configuration)
    let methods: [Method] =
      [.plain, .automatic, .fixed(.ngram, 5), .fixed(.suffix, 10)] + windows.map { .fixed(.draftModel, $0) }
    var results: [Result] = []
    var isLossless = true
    var bar = ProgressBar()
    let total = Double(Self.workloads.count * concurrency.count * repetitions * methods.count)
    var done = 0.0
    for workload in Self.workloads {
      for count in concurrency {
        let texts = Self.prompts(of: workload, count: max(count, prompts))
        var runs: [[Run]] = methods.map { _ in [] }
        for round in 0..<repetitions {
          for place in methods.indices {
            let index = (place + round) % methods.count
            runs[index].append(try await answer(texts, methods[index], count, engine))
            done += 1
            bar.update("\(workload.rawValue), \(count) at a time, \(methods[index].name)", fraction: done / total)
          }
        }
        for (index, method) in methods.enumerated() {
          isLossless = isLossless && runs[index].allSatisfy { $0.outputs == runs[0][0].outputs }
          let ratios = zip(runs[index], runs[0]).map { $0.tokensPerSecond / $1.tokensPerSecond }
          var counts = SpeculationCounts()
          for run in runs[index] { counts.add(run.speculation) }
          results.append(
            Result(
              workload: workload.rawValue, method: method.name, concurrency: count,
              tokens_per_second: Self.quantile(runs[index].map(\.tokensPerSecond), 0.5),
              speedup: Self.quantile(ratios, 0.5),
              speedup_spread: (Self.quantile(ratios, 0.75) - Self.quantile(ratios, 0.25)) / 2,
              acceptance_rate: counts.acceptanceRate, mean_acceptance_length: counts.meanAcceptanceLength))
        }
      }
    }
    bar.clear()
    if json { try emitJSON(results) } else { print(results, threads: configuration.threads) }
    guard isLossless else {
      note("foretoken: speculation changed an output, which must never happen")
      throw ExitCode.failure
    }
  }

  private static func prompts(of workload: BuiltInWorkload, count: Int) -> [String] {
    workload.workload(count: count).requests.compactMap { request in
      guard case .text(let text) = request.prompt else { return nil }
      return text
    }
  }

  /// Answers the prompts, `concurrency` at a time.
  private func answer(
    _ prompts: [String], _ method: Method, _ concurrency: Int, _ engine: SpeculativeEngine
  ) async throws -> Run {
    var requests: [GenerationRequest] = []
    for prompt in prompts {
      let message = ChatMessage(role: "user", content: prompt)
      var request = GenerationRequest(prompt: try TemplateOptions.parse([]).tokens(for: [message], of: engine.target))
      request.stopping.maximumTokens = maxTokens
      request.stopping.endOfTextTokens = engine.target.endOfTextTokens
      switch method {
      case .plain: request.window = 0
      case .automatic: break
      case .fixed(let origin, let window): (request.method, request.window) = (origin, window)
      }
      requests.append(request)
    }
    let started = ContinuousClock.now
    var run = Run()
    run.outputs = Array(repeating: [], count: requests.count)
    try await withThrowingTaskGroup(of: (Int, [TokenID], SpeculationCounts).self) { group in
      var next = 0
      func submit() throws {
        guard next < requests.count else { return }
        let (index, stream) = (next, try engine.engine.generate(requests[next]))
        next += 1
        group.addTask {
          var (tokens, counts): ([TokenID], SpeculationCounts) = ([], SpeculationCounts())
          for await event in stream {
            switch event {
            case .token(let token): tokens.append(token.id)
            case .finished(let summary):
              counts = summary.speculation
              if case .failed(let reason) = summary.reason { throw EngineFailure(description: reason) }
            }
          }
          return (index, tokens, counts)
        }
      }
      for _ in 0..<concurrency { try submit() }
      while let (index, tokens, counts) = try await group.next() {
        run.outputs[index] = tokens
        run.speculation.add(counts)
        try submit()
      }
    }
    run.seconds = (ContinuousClock.now - started) / .seconds(1)
    return run
  }

  private func print(_ results: [Result], threads: Int) {
    let style = TextStyle(for: .standardOutput)
    for workload in Self.workloads {
      for count in concurrency {
        let rows = results.filter { $0.workload == workload.rawValue && $0.concurrency == count }
        emit("\n" + style.bold("\(workload.rawValue), \(count) at a time") + "\n")
        var table = Table([
          ("method", .left), ("tokens/s", .right), ("speedup", .right), ("spread", .right), ("acceptance", .right),
          ("mean length", .right),
        ])
        for row in rows {
          table.append([
            row.method, String(format: "%.0f", row.tokens_per_second), String(format: "%.2fx", row.speedup),
            String(format: "%.2f", row.speedup_spread),
            row.acceptance_rate.map { $0 * 100 }.formatted(digits: 0, suffix: " %"),
            row.mean_acceptance_length.formatted(digits: 2),
          ])
        }
        emit(table.rendered(style: style) + "\n")
        let fixed = rows.filter { $0.method != "auto" }.max { $0.speedup < $1.speedup }
        if let fixed, let auto = rows.first(where: { $0.method == "auto" }) {
          emit(
            String(
              format: "auto reaches %.0f %% of the best fixed choice in hindsight (%@)\n",
              100 * auto.speedup / fixed.speedup, fixed.method))
        }
      }
    }
    emit(style.dim("\nGreedy, \(threads) threads, medians of \(repetitions) rounds.\n"))
  }

  private static func quantile(_ values: [Double], _ share: Double) -> Double {
    let sorted = values.sorted()
    let place = share * Double(sorted.count - 1)
    let low = Int(place)
    let high = min(low + 1, sorted.count - 1)
    return sorted[low] + (sorted[high] - sorted[low]) * (place - Double(low))
  }
}

/// The engine gave up on a request.
private struct EngineFailure: Error, CustomStringConvertible {
  let description: String
}
