internal import ArgumentParser
internal import Decoding
internal import Foundation
internal import Speculation
internal import Tokenization

/// `foretoken bench engine`: what a step costs beside the models' passes.
struct BenchEngine: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "engine",
    abstract: "Measure what a step of the engine takes outside of the models' passes.",
    discussion: """
      Runs as many requests at a time as --max-num-seqs says, plainly and with speculation in turns, and looks at the \
      steps in which all of them were running. A step's overhead is its time less that of passes of target and draft: \
      messages, scheduling, proposals without a model, sampling, text, events. Quantiles are as exact as the histogram \
      at /metrics, a tenth or so.
      """)

  @Option(name: [.short, .long], help: "Target.")
  var model = "Models/foretoken-reference-target"

  @Option(help: "Draft.")
  var draftModel = "Models/foretoken-reference-draft"

  @Option(help: "Requests at one time.")
  var maxNumSeqs = 32

  @Option(help: "Tokens per answer.")
  var maxTokens = 192

  @Option(help: "Randomness of the answers; 0 is greedy.")
  var temperature = 0.0

  @Option(help: "Rounds.")
  var repetitions = 3

  @OptionGroup(title: "Memory and threads") var resources: ResourceOptions

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    guard repetitions >= 1 else { throw ValidationError("--repetitions is \(repetitions); expected 1 or more.") }
    guard maxTokens >= 16 else { throw ValidationError("--max-tokens is \(maxTokens); expected 16 or more.") }
  }

  private struct Result: Encodable {
    let method: String
    let sequences, steps: Int
    let step_ms, overhead_median_ms, overhead_p90_ms, overhead_p99_ms: Double
  }

  func run() async throws {
    var configuration = resources.configuration(for: model)
    configuration.speculation = try SpeculativeConfiguration(method: .automatic(draftModel: draftModel))
    configuration.sequences = maxNumSeqs
    let engine = try resources.load(configuration)
    let methods: [(name: String, window: Int?)] = [("plain", 0), ("auto", nil), ("draft_model 4", 4)]
    var sums: [(steps: Int, seconds: Double, overhead: Histogram)?] = methods.map { _ in nil }
    for round in 0..<repetitions {
      for place in methods.indices {
        let index = (place + round) % methods.count
        let part = try await measure(window: methods[index].window, engine)
        guard let sum = sums[index] else {
          sums[index] = part
          continue
        }
        sums[index] = (sum.steps + part.steps, sum.seconds + part.seconds, sum.overhead.adding(part.overhead))
      }
    }
    let results = zip(methods, sums).compactMap { method, sum -> Result? in
      guard let sum, sum.steps > 0 else { return nil }
      func milliseconds(_ share: Double) -> Double { 1e3 * (sum.overhead.quantile(share) ?? 0) }
      return Result(
        method: method.name, sequences: maxNumSeqs, steps: sum.steps, step_ms: 1e3 * sum.seconds / Double(sum.steps),
        overhead_median_ms: milliseconds(0.5), overhead_p90_ms: milliseconds(0.9),
        overhead_p99_ms: milliseconds(0.99))
    }
    if json { return try emitJSON(results) }
    var table = Table([
      ("method", .left), ("steps", .right), ("mean step", .right), ("overhead: median", .right), ("90 %", .right),
      ("99 %", .right),
    ])
    for result in results {
      table.append(
        [result.method, "\(result.steps)"]
          + [result.step_ms, result.overhead_median_ms, result.overhead_p90_ms, result.overhead_p99_ms].map {
            String(format: "%.3f ms", $0)
          })
    }
    let style = TextStyle(for: .standardOutput)
    emit(style.bold("Steps with \(maxNumSeqs) running requests, \(configuration.threads) threads") + "\n")
    emit(table.rendered(style: style) + "\n")
  }

  /// The steps of one run in which all requests were running and past their prompts.
  private func measure(
    window: Int?, _ engine: SpeculativeEngine
  ) async throws -> (steps: Int, seconds: Double, overhead: Histogram) {
    let prompts = BenchSpeculation.workloads.flatMap(\.prompts)
    var request = GenerationRequest(prompt: [])
    request.stopping.maximumTokens = maxTokens
    request.stopping.ignoresEndOfText = true
    request.sampling.temperature = temperature
    request.window = window
    if window ?? 0 > 0 { request.method = .draftModel }
    let running = Task { [request] in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for index in 0..<maxNumSeqs {
          var request = request
          let message = ChatMessage(role: "user", content: prompts[index % prompts.count])
          request.prompt = try TemplateOptions.parse([]).tokens(for: [message], of: engine.target)
          request.sampling.seed = UInt64(index)
          let stream = try engine.engine.generate(request)
          group.addTask { for await _ in stream {} }
        }
        try await group.waitForAll()
      }
    }
    // Statistics are as of the last step; those between the first and the last look at a full engine count.
    var (start, end): (EngineStatistics?, EngineStatistics?)
    let patience = ContinuousClock.now + .seconds(30)
    while start == nil ? ContinuousClock.now < patience : engine.engine.statistics.running > 0 {
      let now = engine.engine.statistics
      if now.running == maxNumSeqs { (start, end) = (start ?? now, now) }
      try await Task.sleep(for: .milliseconds(1))
    }
    try await running.value
    guard let start, let end, end.steps > start.steps else {
      throw ValidationError("Some requests ended before all were running; expected a larger --max-tokens.")
    }
    return (
      end.steps - start.steps, end.stepSeconds - start.stepSeconds, end.overheadSeconds.since(start.overheadSeconds)
    )
  }
}
