internal import ArgumentParser
internal import ChatTemplates
internal import Decoding
internal import Foundation
internal import Inference
internal import Measurement
internal import Report
internal import Tokenization

/// `foretoken demo`: the reference pair with and without speculation, side by side.
struct Demo: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "See speculation at work on the shipped pair, and what it is worth.",
    discussion: """
      Answers a handful of prompts with and without speculation and checks that the token ids are equal. The streamed \
      text is the speculative run's: accepted draft tokens are green. Exits with 1 if any output differs.
      """)

  @Option(name: [.short, .long], help: "Target.")
  var model = "Models/foretoken-reference-target"

  @Option(help: "Draft.")
  var draftModel = "Models/foretoken-reference-draft"

  @Option(help: "Tokens to propose per verification (default: as many as pay, step by step).")
  var numSpeculativeTokens: Int?

  @Option(help: "Most tokens per answer.")
  var maxTokens = 160

  @Option(
    help: """
      Least timed runs of each kind per prompt, taken in turns; there are more until the median is known to 2 %, or \
      --seconds are over.
      """)
  var repetitions = 5

  @Option(help: "Seconds after which a prompt is measured no further.")
  var seconds = 30.0

  @OptionGroup(title: "Memory and threads") var resources: ResourceOptions

  @Flag(help: "Print JSON instead of text and table.")
  var json = false

  func validate() throws {
    guard repetitions >= 1 else { throw ValidationError("--repetitions is \(repetitions); expected 1 or more.") }
    guard (0...3600).contains(seconds) else { throw ValidationError("--seconds is \(seconds); expected 0 to 3600.") }
  }

  /// Kinds of output that gain in different measure.
  static let prompts: [(kind: String, text: String)] = [
    ("JSON record", "Write a JSON record for a person: Clara Weber, 34 years old, designer from Vienna."),
    ("code", "Write a Python function that returns all orders with price above 50."),
    ("numbered list", "List the planets."),
    ("email", "Write an email from Anna to Felix to set up a meeting about the annual report on Tuesday at 10:30."),
    ("table", "Write a Markdown table of countries and capitals: France, Japan, Norway, Kenya."),
    (
      "edit",
      "Set city to Vienna in this JSON:\n{\n  \"name\": \"Paul Berg\",\n  \"city\": \"Oslo\",\n  \"job\": \"editor\"\n}"
    ),
    ("open-ended prose", "Write a story that begins at the old harbour with a stranger."),
  ]

  private struct Row: Encodable {
    let kind, prompt, text: String
    let tokens: Int
    let plain_tokens_per_second, speculative_tokens_per_second, speedup: Double
    /// Error of the speedup's median, as a share of it; `nil` of a single run.
    let speedup_error: Double?
    let repetitions: Int
    /// Half the distance between the speedup's quartiles, as a share of its median.
    let speedup_spread: Double
    let acceptance_rate, mean_acceptance_length: Double?
    let identical: Bool
  }

  /// One finished answer.
  private struct Answer {
    var tokens: [TokenID] = []
    var text = ""
    var summary: GenerationSummary?

    /// Tokens per second of the whole answer, prompt included: what a user waits for.
    var tokensPerSecond: Double {
      guard let summary, summary.timing.totalSeconds > 0 else { return 0 }
      return Double(tokens.count) / summary.timing.totalSeconds
    }
  }

  func run() async throws {
    var configuration = resources.configuration(for: model)
    configuration.speculation = try SpeculativeConfiguration(
      method: numSpeculativeTokens == nil ? .automatic : .draftModel, model: draftModel,
      window: numSpeculativeTokens)
    // Both kinds of runs read their prompts in full.
    configuration.sharesPrefixes = false
    let engine = try resources.load(configuration)
    let style = TextStyle(for: .standardOutput)
    if !json {
      let window = numSpeculativeTokens.map { "window \($0)" } ?? "windows of up to \(engine.window), as they pay"
      emit(style.bold("Target \(engine.target.path), draft \(engine.draft?.path ?? "none"), \(window)\n"))
      let legend = AnswerPrinter(marksOrigin: true).legend
      if !legend.isEmpty { emit(legend + "\n") }
    }
    var rows: [Row] = []
    for (kind, text) in Self.prompts { rows.append(try await measure(kind, text, engine, style)) }
    if json {
      try emitJSON(rows)
    } else {
      emit("\n")
      emit(
        .table(
          Self.table(
            rows,
            "Medians of \(repetitions) or more runs of each kind in turns, and the error of the speedup; greedy, \(configuration.threads) threads, weights \(resources.quantization.name)."
          )))
      if rows.contains(where: { $0.speedup_spread > Self.busySpread }) {
        emit(
          """
          The machine is busy: answers took now more, now less time, so expect other figures when it is quiet.

          """)
      }
    }
    try requireLossless(rows.allSatisfy(\.identical))
  }

  private func measure(
    _ kind: String, _ text: String, _ engine: SpeculativeEngine, _ style: TextStyle
  ) async throws -> Row {
    let prompt = try TemplateOptions.parse([]).tokens(
      for: [ChatMessage(role: "user", content: text)], of: engine.target)
    if !json { emit("\n" + style.bold(style.cyan("[\(kind)] \(text)")) + "\n") }
    let printer = AnswerPrinter(marksOrigin: true)
    // The run that is watched also warms up; it is not timed.
    let shown = try await answer(prompt, window: nil, engine) { token in if !json { printer.print(token) } }
    if !json { emit("\n") }
    var (plain, speculative, ratios): ([Double], [Double], [Double]) = ([], [], [])
    var identical = true
    let end = ContinuousClock.now + .seconds(seconds)
    while plain.count < repetitions || Self.error(of: ratios) ?? .infinity > 0.02 && ContinuousClock.now < end {
      let first = try await answer(prompt, window: 0, engine) { _ in }
      let second = try await answer(prompt, window: nil, engine) { _ in }
      plain.append(first.tokensPerSecond)
      speculative.append(second.tokensPerSecond)
      ratios.append(second.tokensPerSecond / max(first.tokensPerSecond, .leastNormalMagnitude))
      identical = identical && first.tokens == second.tokens && first.tokens == shown.tokens
    }
    let spread = Spread(ratios)
    return Row(
      kind: kind, prompt: text, text: shown.text, tokens: shown.tokens.count,
      plain_tokens_per_second: Spread(plain).median, speculative_tokens_per_second: Spread(speculative).median,
      speedup: spread.median, speedup_error: Self.error(of: ratios), repetitions: plain.count,
      speedup_spread: (spread.upperQuartile - spread.lowerQuartile) / 2 / spread.median,
      acceptance_rate: shown.summary?.speculation.acceptanceRate,
      mean_acceptance_length: shown.summary?.speculation.meanAcceptanceLength, identical: identical)
  }

  private func answer(
    _ prompt: [TokenID], window: Int?, _ engine: SpeculativeEngine, each: (GeneratedToken) -> Void
  ) async throws -> Answer {
    var request = GenerationRequest(prompt: prompt)
    request.window = window
    request.stopping.maximumTokens = maxTokens
    request.stopping.endOfTextTokens = engine.target.endOfTextTokens
    var answer = Answer()
    for await event in try engine.engine.generate(request) {
      switch event {
      case .token(let token):
        answer.tokens.append(token.id)
        answer.text += token.text
        each(token)
      case .finished(let summary):
        answer.summary = summary
        if case .failed(let reason) = summary.reason {
          note("foretoken: \(reason)")
          throw ExitCode.failure
        }
      }
    }
    return answer
  }

  /// Spread above which the machine counts as busy.
  private static let busySpread = 0.1

  /// Standard error of the median of measurements, as a share of it, from their quartiles (as if they were normal); of
  /// one measurement nobody knows.
  private static func error(of values: [Double]) -> Double? {
    guard values.count > 1 else { return nil }
    let spread = Spread(values)
    let deviation = (spread.upperQuartile - spread.lowerQuartile) / 1.349
    return 1.253 * deviation / Double(values.count).squareRoot() / spread.median
  }

  private static func table(_ rows: [Row], _ caption: String) -> ReportPage.Table {
    var table = ReportPage.Table(
      caption, ["prompt"],
      numbers: [
        "tokens", "plain tok/s", "speculative tok/s", "speedup", "error", "acceptance", "mean length",
        "identical output",
      ])
    for row in rows {
      table.add([
        row.kind, "\(row.tokens)", FigureText.decimal(row.plain_tokens_per_second, 0),
        FigureText.decimal(row.speculative_tokens_per_second, 0), FigureText.ratio(row.speedup),
        row.speedup_error.map { "± " + FigureText.percent($0) }, row.acceptance_rate.map(FigureText.percent),
        row.mean_acceptance_length.map { FigureText.decimal($0, 2) }, row.identical ? "yes" : "NO",
      ])
    }
    return table
  }
}
