internal import Decoding
internal import Foundation
internal import Tuning
internal import Presentation

/// What a tuning contributes to a report.
struct TuningSections {
  let result: TuningResult

  var summary: [String] { [result.choice.reason] }

  var tiles: [ReportPage.Tile] {
    let chosen = chosenEntries
    guard let best = chosen.max(by: { $0.bestSpeedup < $1.bestSpeedup }) else { return [] }
    var tiles = [
      ReportPage.Tile(
        label: "Best speedup", value: FigureText.ratio(best.bestSpeedup),
        detail: "\(title(best.candidate)), \(best.concurrency) at a time")
    ]
    let errors = result.entries.compactMap(\.predictionError).map(abs)
    if let worst = errors.max() {
      tiles.append(
        ReportPage.Tile(
          label: "Prediction error", value: FigureText.percent(errors.reduce(0, +) / Double(errors.count)),
          detail: "mean of \(errors.count) verified; largest \(FigureText.percent(worst))"))
    }
    if let length = best.meanAcceptanceLength {
      tiles.append(
        ReportPage.Tile(
          label: "Tokens per verification", value: FigureText.significant(length),
          detail: best.breakEvenLength.map { "breaks even at \(FigureText.significant($0))" } ?? ""))
    }
    if let dollars = best.dollarsPerMillionTokens {
      let plain = result.entry(.plain, at: best.concurrency)?.dollarsPerMillionTokens
      tiles.append(
        ReportPage.Tile(
          label: "Per million tokens", value: FigureText.dollars(dollars),
          detail: plain.map { "against \(FigureText.dollars($0)) without" } ?? ""))
    }
    return tiles
  }

  /// A way to speculate, whatever its window.
  private struct Family: Hashable {
    let method: SpeculationMethod?
    let draft: String?

    init(_ candidate: TuningResult.Candidate) { (method, draft) = (candidate.method, candidate.draft) }
  }

  /// A candidate's name; without the draft's where there is but one.
  private func title(_ candidate: TuningResult.Candidate) -> String {
    guard result.drafts.count == 1, candidate.draft != nil else { return candidate.title }
    return TuningResult.Candidate(method: candidate.method, window: candidate.window).title
  }

  private func name(_ family: Family) -> String {
    let method = family.method?.rawValue ?? SpelledMethod.plain
    guard result.drafts.count > 1, let draft = family.draft else { return method }
    return "\(method), \(TuningResult.Candidate.shortened(draft))"
  }

  /// Of every concurrency, the entry that the choice stands for.
  private var chosenEntries: [TuningResult.Entry] {
    let choice = result.choice
    return result.concurrencies.compactMap { concurrency in
      guard choice.speculates else { return result.entry(.plain, at: concurrency) }
      let range = choice.windows.first { ($0.first...max($0.first, $0.last)).contains(concurrency) }
      let window = range?.window ?? choice.window
      return window == 0
        ? result.entry(.plain, at: concurrency)
        : result.entry(.init(method: choice.method, draft: choice.draft, window: window), at: concurrency)
    }
  }

  var sections: [ReportPage.Section] {
    [configuration, speedups, candidates, acceptance].compactMap { $0 }
  }

  private var configuration: ReportPage.Section? {
    let choice = result.choice
    var blocks: [ReportPage.Block] = []
    if !choice.flags.isEmpty {
      let command = ["foretoken", "serve", result.target.name] + choice.flags
      blocks.append(.listing("Foretoken", [command.map(ShellWord.quoted).joined(separator: " ")]))
    }
    if let json = choice.speculativeConfig {
      blocks.append(.listing("vLLM", ["--speculative-config '\(json.replacing("'", with: #"'\''"#))'"]))
    }
    if !choice.values.isEmpty { blocks.append(.listing("Helm or Kustomize values", Self.lines(choice.values))) }
    guard !blocks.isEmpty else { return nil }
    return ReportPage.Section(
      heading: choice.speculates ? "The configuration to use" : "Do not speculate", blocks: blocks)
  }

  private var speedups: ReportPage.Section? {
    let ticks = result.concurrencies.map(Double.init)
    var families: [Family] = []
    for entry in result.entries where entry.candidate.window > 0 && entry.knownSpeedup != nil {
      if !families.contains(Family(entry.candidate)) { families.append(Family(entry.candidate)) }
    }
    let series = families.prefix(4).enumerated().map { index, family in
      LineChart.Series(name: name(family), style: Chart.Style.at(index), points: points(of: family))
    }
    let chart =
      ticks.count > 1
      ? LineChart(
        title: "Speedup by concurrency",
        summary: "Tokens per second over plain decoding at each concurrency, every way with its best window.",
        xTitle: "requests at a time", yTitle: "× plain decoding", series: Array(series), yBeginsAtZero: false,
        xTicks: ticks, reference: 1
      ).chart : nil
    let charts = [chart, windowChart].compactMap { $0 }
    guard !charts.isEmpty else { return nil }
    var blocks: [ReportPage.Block] = [.charts(charts)]
    if let border = result.breakEvenConcurrency {
      blocks.append(
        .paragraph(
          "Speculation breaks even at about \(FigureText.significant(border)) requests at a time; beyond that, plain decoding is faster."
        ))
    }
    return ReportPage.Section(heading: "Speedup by concurrency and window", blocks: blocks)
  }

  /// The best window of a family at every concurrency.
  private func points(of family: Family) -> [LineChart.Point] {
    result.concurrencies.compactMap { concurrency in
      let offered = result.entries.filter {
        $0.concurrency == concurrency && Family($0.candidate) == family && $0.candidate.window > 0
          && $0.knownSpeedup != nil
      }
      let measured = offered.filter { $0.measured != nil }
      return (measured.isEmpty ? offered : measured).max { $0.bestSpeedup < $1.bestSpeedup }.map { best in
        LineChart.Point(
          x: Double(concurrency), y: best.bestSpeedup, lower: best.measuredSpeedup?.lower,
          upper: best.measuredSpeedup?.upper)
      }
    }
  }

  /// Every window of the draft or free method that promises most.
  private var windowChart: Chart? {
    let predicted = result.entries.filter { $0.candidate.window > 0 && $0.predictedSpeedup != nil }
    guard let main = predicted.max(by: { $0.bestSpeedup < $1.bestSpeedup }).map({ Family($0.candidate) }) else {
      return nil
    }
    let series = result.concurrencies.enumerated().prefix(4).map { index, concurrency in
      LineChart.Series(
        name: "\(concurrency) at a time", style: Chart.Style.at(index),
        points: result.entries.filter {
          $0.concurrency == concurrency && Family($0.candidate) == main && $0.predictedSpeedup != nil
        }.map { LineChart.Point(x: Double($0.candidate.window), y: $0.predictedSpeedup ?? 1) })
    }
    return LineChart(
      title: "Predicted speedup by window, \(name(main))",
      summary: "Predicted tokens per second over plain decoding for every window, a curve for each concurrency.",
      xTitle: "tokens proposed per verification", yTitle: "× plain decoding", series: series, xBeginsAtZero: false,
      yBeginsAtZero: false, reference: 1, xIsWhole: true
    ).chart
  }

  /// What was measured, and of every other way to speculate the best prediction.
  private var shownEntries: [TuningResult.Entry] {
    result.concurrencies.flatMap { concurrency in
      let here = result.entries.filter { $0.concurrency == concurrency }
      let measured = Set(here.filter { $0.measured != nil }.map { Family($0.candidate) })
      let others = Dictionary(grouping: here.filter { !measured.contains(Family($0.candidate)) }) {
        Family($0.candidate)
      }.compactMapValues { $0.max { $0.bestTokensPerSecond < $1.bestTokensPerSecond } }
      return here.filter { $0.measured != nil || others[Family($0.candidate)] == $0 }
    }
  }

  private var candidates: ReportPage.Section? {
    let shown = shownEntries
    guard shown.contains(where: { $0.measured != nil }) else { return nil }
    let hasPrice = result.price != nil
    var table = ReportPage.Table(
      "Verified by running, in turns; speedups with 95 % intervals over the rounds. Length: tokens per verification, and the length at which the window would break even.",
      ["Way to speculate"],
      numbers: [
        "At a time", "Predicted tok/s", "Measured tok/s", "Error", "Speedup", "Length / break-even",
      ] + (hasPrice ? ["$ per million"] : []))
    let chosen = chosenEntries
    for entry in shown {
      let speedup = entry.measuredSpeedup.map { FigureText.ratio($0.estimate, $0.lower, $0.upper) }
      let length = entry.meanAcceptanceLength.map { length in
        FigureText.significant(length) + (entry.breakEvenLength.map { " / \(FigureText.significant($0))" } ?? "")
      }
      table.add(
        [
          title(entry.candidate), "\(entry.concurrency)",
          entry.predicted.map { FigureText.significant($0.tokensPerSecond) },
          entry.measured.map { FigureText.significant($0.tokensPerSecond) },
          entry.predictionError.map(FigureText.signedPercent),
          entry.candidate == .plain
            ? "1" : speedup ?? entry.predictedSpeedup.map { "\(FigureText.ratio($0)), predicted" }, length,
        ] + (hasPrice ? [entry.dollarsPerMillionTokens.map(FigureText.dollars)] : []),
        isChosen: chosen.contains(entry))
    }
    return ReportPage.Section(heading: "Predicted and measured", blocks: [.table(table)])
  }

  private var acceptance: ReportPage.Section? {
    guard !result.acceptance.isEmpty else { return nil }
    var names: [TuningResult.Candidate] = []
    for one in result.acceptance where !names.contains(one.candidate) { names.append(one.candidate) }
    let charts = names.prefix(3).compactMap { candidate in
      LineChart.acceptance(
        name(Family(candidate)),
        summary: "Probability that the token at each position of the window is accepted, given those before it were.",
        result.acceptance.filter { $0.candidate == candidate }.prefix(5).map { ($0.category ?? "all", $0.byPosition) })
    }
    var table = ReportPage.Table(
      "Tokens per verification at window \(names.map(\.window).max() ?? 0), and acceptance by position in percent.",
      ["Way to speculate", "Prompts"], numbers: ["Length", "Positions 1, 2, …"])
    for one in result.acceptance {
      table.add(
        [
          name(Family(one.candidate)), one.category ?? "all", FigureText.significant(one.meanLength),
          one.byPosition.prefix(10).map { String(format: "%.0f", $0 * 100) }.joined(separator: " "),
        ], isChosen: one.category == nil)
    }
    return ReportPage.Section(
      heading: "Acceptance by position of the window",
      blocks: [
        .charts(charts, reading: "The probability that a position is accepted given that every one before it was (α).")
      ], detailsTitle: "Acceptance by kind of prompt", details: [.table(table)])
  }

  /// T(n) and d(n).
  var passTimes: ReportPage.Section? {
    let models = result.passTimes.filter { $0.points.count > 1 }
    let charts = models.compactMap { times in
      PassChart.chart(
        TuningResult.Candidate.shortened(times.model), Self.symbol(times),
        times.points.map { ($0.rows, $0.seconds, $0.floorSeconds) })
    }
    guard !charts.isEmpty else { return nil }
    var table = ReportPage.Table(
      "Milliseconds of a pass by its rows, and the least possible.", ["Model"], numbers: ["Rows", "ms", "Least ms"])
    for times in models {
      let shown = [1, 2, 4, 8, 16, 32, 64, 128]
      for point in times.points where times.points.count < 12 || shown.contains(point.rows) {
        table.add([
          "\(Self.symbol(times)), \(TuningResult.Candidate.shortened(times.model))", "\(point.rows)",
          FigureText.significant(point.seconds * 1000), point.floorSeconds.map { FigureText.significant($0 * 1000) },
        ])
      }
    }
    return ReportPage.Section(
      heading: "What a pass costs",
      blocks: [
        .charts(
          charts,
          reading:
            "T(n): the time of a pass over n rows while serving. Verifying k proposals of B sequences is one pass over B (k + 1) rows, so speculation pays as far as T(n) is flat. The dashed line is the least that the machine's measured bandwidth and arithmetic allow."
        )
      ], detailsTitle: "Times by rows", details: [.table(table)])
  }

  private static func symbol(_ times: TuningResult.PassTimes) -> String { times.isTarget ? "T(n)" : "d(n)" }

  func addCosts(to table: inout ReportPage.Table) {
    guard result.price != nil else { return }
    for concurrency in result.concurrencies {
      let chosen = chosenEntries.first { $0.concurrency == concurrency }
      for entry in [result.entry(.plain, at: concurrency), chosen].compactMap({ $0 }) {
        table.add(
          [
            title(entry.candidate), "\(concurrency) at a time", FigureText.significant(entry.bestTokensPerSecond),
            entry.dollarsPerMillionTokens.map(FigureText.dollars),
          ], isChosen: entry.candidate != .plain)
      }
    }
  }

  var memory: [String] {
    result.draftMemory.map { memory in
      let name = TuningResult.Candidate.shortened(memory.draft)
      var text =
        "\(name) takes \(FigureText.bytes(memory.weightBytes)) of weights, the room of \(FigureText.count(memory.tokensDisplacedByWeights)) positions of the target's KV cache, and caches every position itself (\(FigureText.bytes(memory.keyValueBytesPerToken)) beside the target's \(FigureText.bytes(memory.targetKeyValueBytesPerToken))): \(FigureText.percent(memory.shareDisplacedByKeysAndValues)) of the rest."
      if let capacity = memory.capacity {
        text +=
          " Of the memory given, \(FigureText.count(capacity.with)) positions remain instead of \(FigureText.count(capacity.without))."
      }
      return text
    }
  }

  private var machine: String {
    [
      result.machine.name, result.machine.threads.map { "\($0) threads" },
      result.machine.kernels.map { "\($0) kernels" },
    ].compactMap { $0 }.joined(separator: ", ")
  }

  private static func text(_ model: TuningResult.Model) -> String {
    [model.name, model.quantization.map { "quantization \($0)" }, model.weightBytes.map { FigureText.bytes($0) }]
      .compactMap { $0 }.joined(separator: ", ")
  }

  /// The models and the machine.
  var about: String {
    let drafts = result.drafts.map { TuningResult.Candidate.shortened($0.name) }
    let with = drafts.isEmpty ? "" : ", drafts: \(drafts.joined(separator: ", "))"
    return "\(Self.text(result.target))\(with), on \(machine). Workload: \(result.workload.name)."
  }

  var facts: ReportPage.Section {
    var facts = [(name: "Machine", value: machine), (name: "Target", value: Self.text(result.target))]
    facts += result.drafts.map { ("Draft", Self.text($0)) }
    facts.append(
      (
        "Workload",
        "\(result.workload.name): \(result.workload.requests) prompts, \(FigureText.significant(result.workload.promptTokens)) tokens in and \(FigureText.significant(result.workload.outputTokens)) out on average"
      ))
    let limits = [("TTFT", result.objectives.timeToFirstToken), ("TPOT", result.objectives.timePerOutputToken)]
    for (metric, limit) in limits {
      if let limit { facts.append(("Limit", "P90 of \(metric) \(FigureText.significant(limit * 1000)) ms")) }
    }
    facts.append(("Measured", result.createdAt))
    var blocks: [ReportPage.Block] = [.facts(facts)]
    for sentence in result.assumptions { blocks.append(.paragraph(sentence)) }
    if !result.command.isEmpty { blocks.append(.listing("Command", Self.lines(result.command))) }
    return ReportPage.Section(folded: "How it was tuned", blocks)
  }

  private static func lines(_ text: String) -> [String] {
    text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(String.init)
      .reversed().drop { $0.isEmpty }.reversed()
  }
}

/// T(n) beside its roofline.
enum PassChart {
  static func chart(
    _ name: String, _ symbol: String, _ points: [(rows: Int, seconds: Double, floor: Double?)]
  ) -> Chart? {
    var series = [
      LineChart.Series(
        name: "\(symbol) measured", style: .first,
        points: points.map { LineChart.Point(x: Double($0.rows), y: $0.seconds * 1000) })
    ]
    let floor = points.compactMap { point in
      point.floor.map { LineChart.Point(x: Double(point.rows), y: $0 * 1000) }
    }
    if !floor.isEmpty {
      series.append(
        LineChart.Series(name: "roofline", style: .muted, points: floor, hasDots: false, isDashed: true))
    }
    return LineChart(
      title: "\(symbol), \(name)",
      summary: "Milliseconds of a pass by its rows, beside the least that the machine allows.",
      xTitle: "rows of the pass", yTitle: "ms", series: series
    ).chart
  }
}
