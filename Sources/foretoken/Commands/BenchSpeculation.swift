internal import ArgumentParser
internal import ChatTemplates
internal import Decoding
internal import Foundation
internal import Inference
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
      Each round runs the workload once with every method, in an order that rotates, on one engine. Figures are \
      medians over the rounds of the ratio to the same round's plain decoding; the spread is half the distance \
      between the quartiles. Levelled speedups count every pass at the median time of passes of its size, so that a \
      host that slows one run down and not another is left out. Exits with 1 if any token differs from plain decoding's.

      With --competitors, plain decoding and auto take turns, request by request, beside threads that compete for the \
      processors; their number changes from phase to phase.

        foretoken bench speculation --max-tokens 64 --repetitions 3
        foretoken bench speculation -m /tmp/target-4b --draft-model /tmp/draft-0.6b --quantization int4
      """)

  @Option(name: [.short, .long], help: "Target.", completion: .model)
  var model = "Models/foretoken-reference-target"

  @Option(help: "Draft.", completion: .model)
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

  @Option(parsing: .upToNextOption, help: "Instead: phases with so many competing threads, such as 0 1 2 4.")
  var competitors: [Int] = []

  @Option(help: "Seconds of such a phase.")
  var phaseSeconds = 2.0

  @OptionGroup(title: "Memory and threads") var resources: ResourceOptions

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    for (flag, number) in [("--repetitions", repetitions), ("--prompts", prompts), ("--max-tokens", maxTokens)] {
      guard (1...100_000).contains(number) else {
        throw ValidationError("\(flag) is \(number); expected 1 to 100000.")
      }
    }
    guard !concurrency.isEmpty, concurrency.allSatisfy({ (1...256).contains($0) }) else {
      throw ValidationError("--concurrency takes numbers from 1 to 256.")
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

  func run() async throws {
    let most = concurrency.max() ?? 1
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
    if !competitors.isEmpty { return try await contend(&benchmark) }
    var results: [SpeculationBenchmark.Result] = []
    let bar = ProgressBar()
    let total = Double(Self.workloads.count * concurrency.count * benchmark.runsPerComparison)
    var done = 0.0
    for workload in Self.workloads {
      for count in concurrency {
        let prompts = try Self.tokens(of: workload, count: max(count, prompts), for: benchmark)
        results += try await benchmark.compare(prompts, workload: workload.rawValue, concurrency: count) { method in
          done += 1
          bar.update("\(workload.rawValue), \(count) at a time, \(method)", fraction: done / total)
        }
      }
    }
    bar.clear()
    if json { try emitJSON(results) } else { show(results, threads: configuration.threads) }
    try requireLossless(benchmark.isLossless)
  }

  /// Plain decoding and `auto` in turns, beside competitors.
  private func contend(_ benchmark: inout SpeculationBenchmark) async throws {
    let bar = ProgressBar()
    let prompts = try Self.workloads.flatMap { try Self.tokens(of: $0, count: (self.prompts + 1) / 2, for: benchmark) }
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

  private static func tokens(
    of workload: BuiltInWorkload, count: Int, for benchmark: SpeculationBenchmark
  ) throws -> [[TokenID]] {
    try prompts(of: workload, count: count).map { prompt in
      let message = ChatMessage(role: "user", content: prompt)
      return try benchmark.target.tokens(for: [message])
    }
  }

  private static func prompts(of workload: BuiltInWorkload, count: Int) -> [String] {
    workload.workload(count: count).requests.compactMap { request in
      guard case .text(let text) = request.prompt else { return nil }
      return text
    }
  }

  private func show(_ results: [SpeculationBenchmark.Result], threads: Int) {
    for workload in Self.workloads {
      for count in concurrency {
        emit(ReportPage.Section(results.filter { $0.workload == workload.rawValue && $0.concurrency == count }))
        emit("\n")
      }
    }
    emit(.paragraph("Greedy, \(threads) threads, medians of \(repetitions) rounds."))
  }
}
