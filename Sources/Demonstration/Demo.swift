package import ArgumentParser
internal import ChatTemplates
internal import Decoding
internal import Foundation
internal import Inference
internal import Measurement
internal import Presentation
internal import Tensor
internal import Tokenization
internal import Transformer

/// `foretoken demo`: a pair of models with and without speculation.
package struct Demo: AsyncParsableCommand {
  package static let configuration = CommandConfiguration(
    abstract: "See speculation at work, and what it is worth.",
    discussion: """
      Answers a handful of prompts without and with speculation, checks that the token ids are equal, and ends with a \
      table. Proposed tokens that were accepted are coloured by who proposed them. Exits with 1 if any output differs.

      The weights are those of the small pair that comes with Foretoken, embedded exactly in the shapes of Qwen3-4B (or \
      1.7B, as memory allows) and 0.6B, in int4: each answer costs what such models cost and says what the small ones \
      say. With --small the pair is as it is: its answers take milliseconds, and there is little to win.

        foretoken demo --shape qwen3-8b
        foretoken demo -m Qwen/Qwen3-4B --draft-model Qwen/Qwen3-0.6B --quantization int4
      """)

  @Option(name: [.short, .long], help: "Target (default: the one that comes with Foretoken).")
  var model: String?

  @Option(help: "Draft (default: the one that comes with Foretoken).")
  var draftModel: String?

  @Flag(help: "Run the small pair as it is.")
  var small = false

  @Option(
    help: "Shape of the target (default: qwen3-4b with 8 GB of free memory, qwen3-1.7b with 4).",
    transform: { try Demo.value($0) })
  var shape: ModelShape?

  @Option(help: "Tokens to propose per verification (default: as many as pay, step by step).")
  var numSpeculativeTokens: Int?

  @Option(help: "Most tokens per answer.")
  var maxTokens = 160

  @Option(
    help: """
      Least timed runs of each kind per prompt, taken in turns (default: 2 that are seen at true size, else 5); there \
      are more until the median is known to 2 %, or --seconds are over.
      """)
  var repetitions: Int?

  @Option(help: "Seconds after which a prompt is measured no further (default: 0 at true size, else 30).")
  var seconds: Double?

  @Option(
    help: "Weights in memory: none (bf16), int8 or int4 (default: int4 at true size, else as the files have them).",
    transform: { try Demo.value($0) })
  var quantization: Quantization?

  @Option(help: "Threads to compute on (default: one per physical core, at most the CPU quota of the container).")
  var threads: Int?

  @Flag(help: "Print JSON instead of text and table.")
  var json = false

  package init() {}

  package func validate() throws {
    if let repetitions, repetitions < 1 {
      throw ValidationError("--repetitions is \(repetitions); expected 1 or more.")
    }
    if let seconds, !(0...3600).contains(seconds) {
      throw ValidationError("--seconds is \(seconds); expected 0 to 3600.")
    }
    if let threads, !(1...WorkerPool.mostThreads).contains(threads) {
      throw ValidationError("--threads is \(threads); expected 1 to \(WorkerPool.mostThreads).")
    }
    if small, shape != nil { throw ValidationError("--small runs the pair as it is; leave out --shape.") }
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

  struct Row: Encodable {
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

    var seconds: Double { summary?.timing.totalSeconds ?? 0 }

    /// Tokens per second of the whole answer, prompt included: what a user waits for.
    var tokensPerSecond: Double { seconds > 0 ? Double(tokens.count) / seconds : 0 }
  }

  package func run() async throws {
    let pair = try pair()
    var configuration = EngineConfiguration(model: pair.target)
    configuration.weightCache = WeightCache(folder: WeightCache.defaultFolder) { note($0) }
    configuration.report = { note($0) }
    configuration.quantization = quantization ?? (pair.shapes == nil ? .file : .int4)
    if let threads { configuration.threads = threads }
    configuration.speculation = try SpeculativeConfiguration(
      method: numSpeculativeTokens == nil ? .automatic : .draftModel, model: pair.draft,
      window: numSpeculativeTokens)
    // Both kinds of runs read their prompts in full.
    configuration.sharesPrefixes = false
    let bar = ProgressBar()
    let engine = try SpeculativeEngine(
      configuration, progress: { part, fraction in bar.update("Loading \(part)", fraction: fraction) })
    bar.clear()
    let style = TextStyle(for: .standardOutput)
    if !json { introduce(pair, engine, configuration, style) }
    var rows: [Row] = []
    for (kind, text) in Self.prompts {
      rows.append(try await measure(kind, text, engine, isTrueSize: pair.shapes != nil, style))
    }
    if json {
      try emitJSON(rows)
    } else {
      emit("\n")
      emit(
        .table(
          Self.table(
            rows,
            "Medians of \(rows.map(\.repetitions).min() ?? 0) or more runs of each kind in turns, and the error of the speedup; greedy, \(configuration.threads) threads, \((configuration.instructionSet ?? .best).rawValue) kernels, weights \(configuration.quantization.name)."
          )))
      emit(Self.conclusion(of: rows, pair))
    }
    try requireLossless(rows.allSatisfy(\.identical))
  }

  /// The value that an option names.
  private static func value<Value: RawRepresentable & CaseIterable>(
    _ name: String
  ) throws -> Value where Value.RawValue == String {
    guard let value = Value(rawValue: name) else {
      throw ValidationError("found '\(name)'; expected \(Value.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return value
  }

  /// The pair that the flags ask for: at true size unless they name models or the small one.
  private func pair() throws -> DemoPair {
    let target = try model ?? DemoPair.shipped("foretoken-reference-target")
    let draft = try draftModel ?? DemoPair.shipped("foretoken-reference-draft")
    let isShipped = model == nil && draftModel == nil
    guard !small, let shape = shape ?? (isShipped ? DemoPair.fittingShape() : nil) else {
      if isShipped, !small {
        note("Too little memory is free for a pair at true size: the small pair runs as it is, and has little to win.")
      }
      return DemoPair(target, draft)
    }
    if !json {
      note("Making the pair at true size (seconds, and once: it is kept in \(WeightCache.defaultFolder)).")
    }
    return try DemoPair(target, draft, expandedTo: shape, threads: threads ?? WorkerPool.defaultThreadCount)
  }

  private func measure(
    _ kind: String, _ text: String, _ engine: SpeculativeEngine, isTrueSize: Bool, _ style: TextStyle
  ) async throws -> Row {
    let prompt = try engine.target.tokens(for: [ChatMessage(role: "user", content: text)])
    if !json { emit("\n" + style.bold(style.cyan("[\(kind)] \(text)")) + "\n") }
    let printer = AnswerPrinter(marksOrigin: true)
    var runs = Runs()
    if isTrueSize, !json { emit(style.dim("without speculation") + "\n") }
    // At true size what is seen is timed: printing costs nothing beside it. Else it warms up.
    let plain = try await answer(prompt, window: 0, engine) { token in
      if isTrueSize, !json { printer.print(token) }
    }
    if isTrueSize, !json {
      emit(style.dim("\n\(FigureText.decimal(plain.tokensPerSecond, 1)) tokens/s, with speculation") + "\n")
    }
    let shown = try await answer(prompt, window: nil, engine) { token in if !json { printer.print(token) } }
    var identical = plain.tokens == shown.tokens
    if isTrueSize {
      runs.add(plain.tokensPerSecond, shown.tokensPerSecond)
      if !json {
        let verdict = "the same \(shown.tokens.count) tokens"
        let gain = FigureText.ratio(shown.tokensPerSecond / max(plain.tokensPerSecond, .leastNormalMagnitude))
        emit(
          style.dim(
            "\n\(FigureText.decimal(shown.tokensPerSecond, 1)) tokens/s: \(gain), \(identical ? verdict : "OTHER TOKENS")"
          ))
      }
    }
    if !json { emit("\n") }
    // Nobody waits for minutes on a slow machine.
    let isSlow = [plain, shown].reduce(0) { $0 + $1.seconds } > 20
    let (least, most) = (repetitions ?? (isTrueSize ? isSlow ? 1 : 2 : 5), seconds ?? (isTrueSize ? 0 : 30))
    let bar = ProgressBar()
    defer { bar.clear() }
    let end = ContinuousClock.now + .seconds(most)
    while runs.count < least || runs.error ?? .infinity > 0.02 && ContinuousClock.now < end {
      bar.update("measuring again", fraction: Double(runs.count) / Double(least))
      let first = try await answer(prompt, window: 0, engine) { _ in }
      let second = try await answer(prompt, window: nil, engine) { _ in }
      runs.add(first.tokensPerSecond, second.tokensPerSecond)
      identical = identical && first.tokens == second.tokens && first.tokens == shown.tokens
    }
    let spread = Spread(runs.ratios)
    return Row(
      kind: kind, prompt: text, text: shown.text, tokens: shown.tokens.count,
      plain_tokens_per_second: Spread(runs.plain).median,
      speculative_tokens_per_second: Spread(runs.speculative).median,
      speedup: spread.median, speedup_error: runs.error, repetitions: runs.count,
      speedup_spread: (spread.upperQuartile - spread.lowerQuartile) / 2 / spread.median,
      acceptance_rate: shown.summary?.speculation.acceptanceRate,
      mean_acceptance_length: shown.summary?.speculation.meanAcceptanceLength, identical: identical)
  }

  /// Timed runs of one prompt, in tokens per second.
  private struct Runs {
    private(set) var plain: [Double] = []
    private(set) var speculative: [Double] = []

    var count: Int { plain.count }
    var ratios: [Double] { zip(speculative, plain).map { $0 / max($1, .leastNormalMagnitude) } }
    var error: Double? { Demo.error(of: ratios) }

    mutating func add(_ plain: Double, _ speculative: Double) {
      self.plain.append(plain)
      self.speculative.append(speculative)
    }
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

  /// Standard error of the median of measurements, as a share of it, from their quartiles (as if they were normal); of
  /// one measurement nobody knows.
  private static func error(of values: [Double]) -> Double? {
    guard values.count > 1 else { return nil }
    let spread = Spread(values)
    let deviation = (spread.upperQuartile - spread.lowerQuartile) / 1.349
    return 1.253 * deviation / Double(values.count).squareRoot() / spread.median
  }
}
