internal import ArgumentParser
internal import Decoding
internal import Foundation
internal import Inference
internal import JSON
internal import LoadTesting
internal import Measurement
internal import Presentation
internal import Report
internal import Tokenization

/// `foretoken bench speculation`: every way to speculate against plain decoding.
struct BenchSpeculation: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "speculation",
    abstract: "Compare proposers and windows with plain decoding, by workload and concurrency.",
    discussion: """
      Each round runs the workload once with every method, in turns and an order that rotates, on one engine: prompt \
      by prompt where one request runs at a time. Figures are \
      medians over the rounds of the ratio to the same round's plain decoding; the spread is half the distance \
      between the quartiles. Levelled speedups count every pass at the median time of passes of its size, so that a \
      host that slows one run down and not another is left out. Exits with 1 if any token differs from plain decoding's.

      With --dataset-path, prompts of your own by category, and one table for all of them.

      With --competitors, plain decoding and auto take turns, request by request, beside threads that compete for the \
      processors; their number changes from phase to phase.

        foretoken bench speculation --max-tokens 64 --repetitions 3
        foretoken bench speculation -m /tmp/target-4b --draft-model /tmp/draft-0.6b --quantization int4
        foretoken bench speculation -m MODEL --draft-model HEAD --dataset-path Training/evaluation_prompts.jsonl
      """)

  @Option(name: [.short, .long], help: "Target.", completion: .model)
  var model = "Models/foretoken-reference-target"

  @Option(help: "Draft model, or head on the target.", completion: .model)
  var draftModel = "Models/foretoken-reference-draft"

  @Option(parsing: .upToNextOption, help: "Requests at one time.")
  var concurrency = [1, 2, 4, 8, 16]

  @Option(parsing: .upToNextOption, help: "Fixed windows of the draft.")
  var windows = Array(1...10)

  @Option(help: "Most tokens per answer.")
  var maxTokens = 128

  @Option(
    help: "Instead of the built-in workloads: JSONL with prompt or messages, and category.",
    completion: .file(extensions: ["jsonl"]))
  var datasetPath: String?

  @Option(
    help: """
      Prompts per round, evenly from the workload's categories, never fewer than run at one time (default: 8); with \
      --dataset-path the first ones of each category (default: all).
      """)
  var prompts: Int?

  @Option(parsing: .upToNextOption, help: "Randomness; 0 is greedy.")
  var temperature = [0.0]

  @Option(help: "Rounds.")
  var repetitions = 5

  @Option(parsing: .upToNextOption, help: "Instead: phases with so many competing threads, such as 0 1 2 4.")
  var competitors: [Int] = []

  @Option(help: "Seconds of such a phase.")
  var phaseSeconds = 2.0

  @OptionGroup(title: "Memory and threads") var resources: ResourceOptions

  @Option(name: .shortAndLong, help: "Write the comparison to this file too, as JSON.")
  var output: String?

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    for (flag, number) in [
      ("--repetitions", repetitions), ("--prompts", prompts ?? Self.builtInPrompts), ("--max-tokens", maxTokens),
    ] {
      guard (1...100_000).contains(number) else {
        throw ValidationError("\(flag) is \(number); expected 1 to 100000.")
      }
    }
    guard !concurrency.isEmpty, concurrency.allSatisfy({ (1...256).contains($0) }) else {
      throw ValidationError("--concurrency takes numbers from 1 to 256.")
    }
    guard !temperature.isEmpty, temperature.allSatisfy({ (0...100).contains($0) }) else {
      throw ValidationError("--temperature takes numbers from 0 to 100.")
    }
    guard competitors.isEmpty || temperature == [0] else {
      throw ValidationError("--competitors decodes greedily; leave out --temperature.")
    }
    guard competitors.isEmpty || output == nil else {
      throw ValidationError("--competitors has no comparison to write; leave out --output.")
    }
    guard competitors.allSatisfy({ (0...1024).contains($0) }) else {
      throw ValidationError("--competitors takes numbers from 0 to 1024.")
    }
    guard (0.05...600).contains(phaseSeconds) else {
      throw ValidationError("--phase-seconds is \(phaseSeconds); expected 0.05 to 600.")
    }
    guard windows.allSatisfy({ SpeculativeConfiguration.windows.contains($0) }) else {
      throw ValidationError("--windows takes numbers from 1 to 32.")
    }
  }

  private static let workloads = [BuiltInWorkload.structured, .openEnded]
  private static let builtInPrompts = 8

  /// Requests by workload: `count` of each built-in one, or as many as are asked for of each category of the file.
  private func workloads(_ count: Int) throws -> [Workload] {
    guard let datasetPath else { return Self.workloads.map { $0.workload(count: count) } }
    let all = Workload(name: datasetPath, requests: try Dataset.custom.requests(path: datasetPath, tokenizer: nil))
    return all.categories.map { category in
      let own = all.requests.filter { $0.category == category }
      return Workload(name: category, requests: Array(own.prefix(prompts ?? own.count)))
    }
  }

  func run() async throws {
    let most = concurrency.max() ?? 1
    let asked = prompts ?? Self.builtInPrompts
    let names = try workloads(asked).map(\.name)
    if let output { try OutputFile.check(output) }
    var configuration = resources.configuration(for: model)
    configuration.speculation = try SpeculativeConfiguration(
      method: .automatic, model: draftModel,
      window: max(windows.max() ?? 1, SpeculationMethod.automatic.defaultWindow))
    configuration.sequences = most
    // The same prompts come again and again; each run is to read its own.
    configuration.sharesPrefixes = false
    var benchmark = try SpeculationBenchmark(
      windows: windows, maximumTokens: maxTokens, repetitions: repetitions
    ) { wrap in try resources.load(configuration, wrapping: wrap) }
    if !competitors.isEmpty { return try await contend(&benchmark, try workloads((asked + 1) / 2)) }
    // By temperature and number of requests at a time.
    var results: [[SpeculationBenchmark.Result]] = []
    let bar = ProgressBar()
    let total = Double(names.count * concurrency.count * temperature.count * benchmark.runsPerComparison)
    var done = 0.0
    for temperature in temperature {
      for count in concurrency {
        var comparisons: [SpeculationBenchmark.Comparison] = []
        for workload in try workloads(max(count, asked)) {
          let tokens = try workload.requests.map { try $0.tokens(for: benchmark.target) }
          comparisons.append(
            try await benchmark.compare(
              tokens, workload: workload.name, concurrency: count, temperature: temperature
            ) { method, share in
              done += share
              bar.update("\(workload.name), \(count) at a time, \(method)", fraction: done / total)
            })
        }
        if datasetPath != nil, let all = SpeculationBenchmark.Comparison(comparisons, as: "all") {
          comparisons.append(all)
        }
        results.append(comparisons.flatMap(\.results))
      }
    }
    bar.clear()
    let rows = Array(results.joined())
    let isLost = try output.map { try !OutputFile.keeps(try JSONEncoder.sorted(indented: true).encode(rows), in: $0) }
    if json || isLost == true { try emitJSON(rows) } else { show(results, threads: configuration.threads) }
    if isLost == true { throw ExitCode.failure }
    try requireLossless(benchmark.isLossless)
  }

  /// Plain decoding and `auto` in turns, beside competitors.
  private func contend(_ benchmark: inout SpeculationBenchmark, _ workloads: [Workload]) async throws {
    let bar = ProgressBar()
    let prompts = try workloads.flatMap(\.requests).map { try $0.tokens(for: benchmark.target) }
    let results = try await benchmark.contend(
      prompts, competitors: competitors, seconds: phaseSeconds, rounds: repetitions
    ) { bar.update("Plain and auto in turns", fraction: $0) }
    bar.clear()
    if json {
      try emitJSON(results)
    } else {
      emit(.table(ReportPage.Table(results)))
    }
    try requireLossless(benchmark.isLossless)
  }

  private func show(_ results: [[SpeculationBenchmark.Result]], threads: Int) {
    for part in results {
      if datasetPath != nil {
        emit(ReportPage.Section(byWorkload: part))
        emit("\n")
      } else {
        for workload in Self.workloads {
          emit(ReportPage.Section(part.filter { $0.workload == workload.rawValue }))
          emit("\n")
        }
      }
    }
    emit(.paragraph("\(threads) threads, medians of \(repetitions) rounds."))
  }
}
