internal import Foundation

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

  /// A candidate's name; without the draft's where there is but one.
  private func title(_ candidate: TuningResult.Candidate) -> String {
    guard result.drafts.count == 1, candidate.draft != nil else { return candidate.title }
    return TuningResult.Candidate(method: candidate.method, window: candidate.window).title
  }

  private func familyName(_ candidate: TuningResult.Candidate) -> String {
    guard result.drafts.count > 1, let draft = candidate.draft else { return candidate.method }
    return "\(candidate.method), \(draft.split(separator: "/").last.map(String.init) ?? draft)"
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
    [configuration, speedups, verification, acceptance].compactMap { $0 }
  }

  private var configuration: ReportPage.Section {
    let choice = result.choice
    var blocks: [ReportPage.Block] = []
    if !choice.flags.isEmpty {
      blocks.append(
        .listing(
          ReportPage.Listing(
            caption: "Foretoken",
            lines: [
              (["foretoken", "serve", result.target.name] + choice.flags).map(ShellWord.quoted).joined(separator: " ")
            ])))
    }
    if let json = choice.speculativeConfig {
      blocks.append(
        .listing(
          ReportPage.Listing(caption: "vLLM", lines: ["--speculative-config '\(json.replacing("'", with: #"'\''"#))'"]))
      )
    }
    blocks.append(
      .listing(ReportPage.Listing(caption: "Helm or Kustomize values", lines: Self.lines(choice.values))))
    return ReportPage.Section(
      heading: choice.speculates ? "The configuration to use" : "Do not speculate", blocks: blocks)
  }

  private var speedups: ReportPage.Section? {
    let ticks = result.concurrencies.map(Double.init)
    var families: [TuningResult.Candidate] = []
    for entry in result.entries where entry.candidate.window > 0 {
      let family = TuningResult.Candidate(method: entry.candidate.method, draft: entry.candidate.draft, window: 0)
      if !families.contains(family) { families.append(family) }
    }
    let series = families.prefix(4).enumerated().map { index, family in
      let points = result.concurrencies.compactMap { concurrency -> LineChart.Point? in
        let offered = result.entries.filter {
          $0.concurrency == concurrency && $0.candidate.method == family.method && $0.candidate.draft == family.draft
            && $0.candidate.window > 0
        }
        let measured = offered.filter { $0.measured != nil }
        guard let best = (measured.isEmpty ? offered : measured).max(by: { $0.bestSpeedup < $1.bestSpeedup }) else {
          return nil
        }
        return LineChart.Point(
          x: Double(concurrency), y: best.bestSpeedup, lower: best.measuredSpeedup?.lower,
          upper: best.measuredSpeedup?.upper)
      }
      return LineChart.Series(name: familyName(family), style: Chart.Style.at(index), points: points)
    }
    let chart =
      ticks.count > 1
      ? LineChart(
        title: "Speedup by concurrency",
        summary: "Tokens per second over plain decoding at each concurrency, every way with its best window.",
        xTitle: "requests at a time", yTitle: "× plain decoding", series: Array(series), yBeginsAtZero: false,
        xTicks: ticks, reference: 1
      ).chart : nil
    let windows = result.concurrencies.enumerated().prefix(4).map { index, concurrency in
      LineChart.Series(
        name: "\(concurrency) at a time", style: Chart.Style.at(index),
        points: result.entries.filter {
          $0.concurrency == concurrency && $0.candidate.method == mainFamily?.method
            && $0.candidate.draft == mainFamily?.draft && $0.predictedSpeedup != nil
        }.map { LineChart.Point(x: Double($0.candidate.window), y: $0.predictedSpeedup ?? 1) })
    }
    let windowChart = LineChart(
      title: "Predicted speedup by window\(mainFamily.map { ", " + familyName($0) } ?? "")",
      summary: "Predicted tokens per second over plain decoding for every window, a curve for each concurrency.",
      xTitle: "tokens proposed per verification", yTitle: "× plain decoding", series: Array(windows),
      xBeginsAtZero: false, yBeginsAtZero: false, reference: 1, xIsWhole: true
    ).chart
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

  /// The draft or free method that predictions are shown for.
  private var mainFamily: TuningResult.Candidate? {
    let predicted = result.entries.filter { $0.candidate.window > 0 && $0.predictedSpeedup != nil }
    let best = predicted.max { $0.bestSpeedup < $1.bestSpeedup }
    return best.map { TuningResult.Candidate(method: $0.candidate.method, draft: $0.candidate.draft, window: 0) }
  }

  private var verification: ReportPage.Section? {
    let verified = result.entries.filter { $0.measured != nil }
    guard !verified.isEmpty else { return nil }
    let hasPrice = result.price != nil
    let rows = verified.map { entry in
      var cells = [
        ReportPage.Cell(text: "\(entry.concurrency)", isNumber: true), ReportPage.Cell(text: title(entry.candidate)),
        ReportPage.Cell(
          text: entry.predicted.map { FigureText.significant($0.tokensPerSecond) } ?? "–", isNumber: true),
        ReportPage.Cell(text: entry.measured.map { FigureText.significant($0.tokensPerSecond) } ?? "–", isNumber: true),
        ReportPage.Cell(text: entry.predictionError.map { FigureText.signedPercent($0) } ?? "–", isNumber: true),
        ReportPage.Cell(
          text: entry.candidate == .plain
            ? "1" : entry.measuredSpeedup.map { FigureText.ratio($0.estimate, $0.lower, $0.upper) } ?? "–",
          isNumber: true),
        ReportPage.Cell(
          text: entry.meanAcceptanceLength.map { length in
            FigureText.significant(length)
              + (entry.breakEvenLength.map { " / \(FigureText.significant($0))" } ?? "")
          } ?? "–", isNumber: true),
      ]
      if hasPrice {
        cells.append(
          ReportPage.Cell(text: entry.dollarsPerMillionTokens.map { FigureText.dollars($0) } ?? "–", isNumber: true))
      }
      return ReportPage.Row(cells: cells, isChosen: chosenEntries.contains(entry))
    }
    let head =
      ["At a time", "Way to speculate", "Predicted tok/s", "Measured tok/s", "Error", "Speedup", "Length / break-even"]
      + (hasPrice ? ["$ per million"] : [])
    let table = ReportPage.Table(
      caption:
        "Verified by running, in turns; speedups with 95 % intervals over the rounds. Length: tokens per verification, and the length at which the window would break even.",
      head: head.enumerated().map { ReportPage.Cell(text: $1, isNumber: $0 != 1) }, rows: rows)
    return ReportPage.Section(heading: "Predicted and measured", blocks: [.table(table)])
  }

  private var acceptance: ReportPage.Section? {
    guard !result.acceptance.isEmpty else { return nil }
    var names: [TuningResult.Candidate] = []
    for one in result.acceptance where !names.contains(one.candidate) { names.append(one.candidate) }
    let charts = names.prefix(3).compactMap { candidate -> Chart? in
      let series = result.acceptance.filter { $0.candidate == candidate }.prefix(5).enumerated().map { index, one in
        LineChart.Series(
          name: one.category ?? "all", style: Chart.Style.at(index),
          points: one.byPosition.enumerated().map { LineChart.Point(x: Double($0 + 1), y: $1 * 100) })
      }
      return LineChart(
        title: familyName(candidate),
        summary: "Probability that the token at each position of the window is accepted, given those before it were.",
        xTitle: "position in the window", yTitle: "% accepted", series: Array(series), xBeginsAtZero: false,
        yLimit: 100,
        xIsWhole: true
      ).chart
    }
    let rows = result.acceptance.map { one in
      ReportPage.Row(
        cells: [
          ReportPage.Cell(text: familyName(one.candidate)), ReportPage.Cell(text: one.category ?? "all"),
          ReportPage.Cell(text: FigureText.significant(one.meanLength), isNumber: true),
          ReportPage.Cell(
            text: one.byPosition.prefix(10).map { String(format: "%.0f", $0 * 100) }.joined(separator: " "),
            isNumber: true),
        ], isChosen: one.category == nil)
    }
    let table = ReportPage.Table(
      caption:
        "Tokens per verification at window \(names.map(\.window).max() ?? 0), and acceptance by position in percent.",
      head: ["Way to speculate", "Prompts", "Length", "Positions 1, 2, …"].enumerated().map {
        ReportPage.Cell(text: $1, isNumber: $0 > 1)
      }, rows: rows)
    return ReportPage.Section(
      heading: "Acceptance by position of the window",
      blocks: [
        .paragraph("The probability that a position is accepted given that every one before it was (α)."),
        .charts(charts),
        .table(table),
      ])
  }

  /// T(n) and d(n).
  var passTimes: ReportPage.Section? {
    let charts = result.passTimes.filter { $0.points.count > 1 }.compactMap { PassChart.chart($0) }
    guard !charts.isEmpty else { return nil }
    return ReportPage.Section(
      heading: "What a pass costs",
      blocks: [
        .paragraph(
          "T(n): the time of a pass over n rows while serving. Verifying k proposals of B texts is one pass over B (k + 1) rows, so speculation pays as far as T(n) is flat. The dashed line is the least that the machine's measured bandwidth and arithmetic allow."
        ), .charts(charts),
      ])
  }

  var costRows: [ReportPage.Row] {
    guard result.price != nil else { return [] }
    return result.concurrencies.flatMap { concurrency -> [ReportPage.Row] in
      let chosen = chosenEntries.first { $0.concurrency == concurrency }
      return [result.entry(.plain, at: concurrency), chosen].compactMap { $0 }.map { entry in
        ReportPage.Row(
          cells: [
            ReportPage.Cell(text: title(entry.candidate)), ReportPage.Cell(text: "\(concurrency) at a time"),
            ReportPage.Cell(text: FigureText.significant(entry.bestTokensPerSecond), isNumber: true),
            ReportPage.Cell(
              text: entry.dollarsPerMillionTokens.map { FigureText.dollars($0) } ?? "–", isNumber: true),
          ], isChosen: entry.candidate != .plain)
      }
    }
  }

  var memory: [String] {
    result.draftMemory.map { memory in
      let name = memory.draft.split(separator: "/").last.map(String.init) ?? memory.draft
      var text =
        "\(name) takes \(FigureText.bytes(memory.weightBytes)) of weights, the room of \(FigureText.count(memory.tokensDisplacedByWeights)) positions of the target's KV cache, and caches every position itself (\(FigureText.bytes(memory.keyValueBytesPerToken)) beside the target's \(FigureText.bytes(memory.targetKeyValueBytesPerToken))): \(FigureText.percent(memory.shareDisplacedByKeysAndValues)) of the rest."
      if let capacity = memory.capacity {
        text +=
          " Of the memory given, \(FigureText.count(capacity.with)) positions remain instead of \(FigureText.count(capacity.without))."
      }
      return text
    }
  }

  var facts: ReportPage.Section {
    let machine =
      [
        result.machine.name, result.machine.threads.map { "\($0) threads" },
        result.machine.kernels.map { "\($0) kernels" },
      ]
      .compactMap { $0 }.joined(separator: ", ")
    func model(_ model: TuningResult.Model) -> String {
      [model.name, model.quantization.map { "quantization \($0)" }, model.weightBytes.map { FigureText.bytes($0) }]
        .compactMap { $0 }.joined(separator: ", ")
    }
    var facts = [
      ReportPage.Fact(name: "Machine", value: machine), ReportPage.Fact(name: "Target", value: model(result.target)),
    ]
    facts += result.drafts.map { ReportPage.Fact(name: "Draft", value: model($0)) }
    facts.append(
      ReportPage.Fact(
        name: "Workload",
        value:
          "\(result.workload.name): \(result.workload.requests) prompts, \(FigureText.significant(result.workload.promptTokens)) tokens in and \(FigureText.significant(result.workload.outputTokens)) out on average"
      ))
    if let limit = result.objectives.timeToFirstToken {
      facts.append(ReportPage.Fact(name: "Limit", value: "P90 of TTFT \(FigureText.significant(limit * 1000)) ms"))
    }
    if let limit = result.objectives.timePerOutputToken {
      facts.append(ReportPage.Fact(name: "Limit", value: "P90 of TPOT \(FigureText.significant(limit * 1000)) ms"))
    }
    facts.append(ReportPage.Fact(name: "Measured", value: result.createdAt))
    var blocks: [ReportPage.Block] = [.facts(facts)]
    for sentence in result.assumptions { blocks.append(.paragraph(sentence)) }
    if !result.command.isEmpty {
      blocks.append(.listing(ReportPage.Listing(caption: "Command", lines: Self.lines(result.command))))
    }
    return ReportPage.Section(heading: "Tuning: machine, models, assumptions", blocks: blocks)
  }

  private static func lines(_ text: String) -> [String] {
    text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(String.init)
      .reversed().drop { $0.isEmpty }.reversed()
  }
}

/// T(n) beside its roofline.
enum PassChart {
  static func chart(_ times: TuningResult.PassTimes) -> Chart? {
    let name = times.model.split(separator: "/").last.map(String.init) ?? times.model
    let symbol = times.isTarget ? "T(n)" : "d(n)"
    var series = [
      LineChart.Series(
        name: "\(symbol) measured", style: .first,
        points: times.points.map { LineChart.Point(x: Double($0.rows), y: $0.seconds * 1000) })
    ]
    let floor = times.points.compactMap { point in
      point.floorSeconds.map { LineChart.Point(x: Double(point.rows), y: $0 * 1000) }
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
