internal import Foundation

/// What comparisons and single serving benchmarks contribute to a report.
struct ServingSections {
  /// A served side: with its name for legends.
  struct Side {
    let name: String
    let result: ServingResult
    let style: Chart.Style
  }

  let input: ReportInput

  /// Every side that was measured, in order.
  var sides: [Side] {
    let results =
      input.comparisons.flatMap { [$0.result.a, $0.result.b] } + input.servings.map(\.result)
    return results.enumerated().map { Side(name: Self.name($1), result: $1, style: Chart.Style.at($0)) }
  }

  static func name(_ result: ServingResult) -> String { result.header.label ?? result.header.modelID }

  private static func setting(_ result: ServingResult) -> String {
    let load =
      result.header.maxConcurrency.map { "\($0) at a time" }
      ?? result.header.configuredRate.map { "\($0) requests/s" } ?? "all at once"
    return "\(result.header.dataset), \(load)"
  }

  // MARK: - Summary

  var summary: [String] {
    input.comparisons.map { comparison in
      let result = comparison.result
      let (a, b) = (Self.name(result.a), Self.name(result.b))
      guard let ratio = result.overall.outputThroughput else {
        return "\(a) and \(b) could not be compared: no pair of requests was completed by both."
      }
      let found = FigureText.ratio(ratio.ratio, ratio.lower, ratio.upper)
      let verdict =
        switch (ratio.lower, ratio.upper) {
        case (let lower?, _) where lower > 1: "\(a) generates \(found) the tokens per second of \(b)"
        case (_, let upper?) where upper < 1: "\(a) is slower than \(b): \(found) its tokens per second"
        case (nil, _), (_, nil):
          "\(a) generated \(found) the tokens per second of \(b), in too few pairs (\(result.overall.pairs)) to say more"
        default: "\(a) and \(b) are equally fast within the measurement's precision (\(found))"
        }
      return "\(verdict), on \(Self.setting(result.a)).\(extremes(result))\(outputs(result))"
    }
  }

  private func extremes(_ result: ServingComparisonResult) -> String {
    let ranked = result.categories.compactMap { category in category.outputThroughput.map { (category.name, $0.ratio) }
    }
    .sorted { $0.1 > $1.1 }
    guard ranked.count > 1, let best = ranked.first, let worst = ranked.last else { return "" }
    return
      " By kind of prompt the ratio lies between \(FigureText.ratio(worst.1)) (\(worst.0)) and \(FigureText.ratio(best.1)) (\(best.0))."
  }

  private func outputs(_ result: ServingComparisonResult) -> String {
    guard let outputs = result.overall.outputs, outputs.compared > 0 else { return "" }
    return outputs.equal == outputs.compared
      ? " All \(FigureText.count(outputs.compared)) pairs of answers are identical."
      : " \(FigureText.count(outputs.compared - outputs.equal)) of \(FigureText.count(outputs.compared)) pairs of answers differ."
  }

  // MARK: - Tiles

  var tiles: [ReportPage.Tile] {
    guard let result = input.comparisons.first?.result else {
      return input.servings.first.map { serving in
        [
          ReportPage.Tile(
            label: "Output throughput", value: FigureText.significant(serving.result.total.outputThroughput),
            detail: "tokens per second")
        ]
      } ?? []
    }
    var tiles: [ReportPage.Tile] = []
    if let ratio = result.overall.outputThroughput {
      tiles.append(
        ReportPage.Tile(
          label: "Speedup", value: FigureText.ratio(ratio.ratio),
          detail: ratio.lower.flatMap { lower in
            ratio.upper.map {
              String(format: "tokens per second; %.0f %% interval %.2f to %.2f", result.confidence * 100, lower, $0)
            }
          } ?? "tokens per second; too few pairs for an interval"))
    }
    if let a = result.a.total.latencies[.tpot], let b = result.b.total.latencies[.tpot] {
      tiles.append(
        ReportPage.Tile(
          label: "Median time per token", value: "\(FigureText.milliseconds(a.median)) ms",
          detail: "against \(FigureText.milliseconds(b.median)) ms"))
    }
    if let speculation = result.a.total.speculation, let length = speculation.acceptanceLength {
      tiles.append(
        ReportPage.Tile(
          label: "Tokens per verification", value: FigureText.significant(length),
          detail: speculation.acceptanceRate.map { "\(FigureText.percent($0)) of proposals accepted" } ?? ""))
    }
    if let outputs = result.overall.outputs, outputs.compared > 0 {
      tiles.append(
        ReportPage.Tile(
          label: "Identical answers", value: FigureText.percent(Double(outputs.equal) / Double(outputs.compared)),
          detail: "\(FigureText.count(outputs.equal)) of \(FigureText.count(outputs.compared)) pairs"))
    }
    return tiles
  }

  // MARK: - Sections

  var sections: [ReportPage.Section] {
    [speedup, latency, acceptance].compactMap { $0 }
  }

  private var speedup: ReportPage.Section? {
    guard !input.comparisons.isEmpty else { return throughput }
    var blocks: [ReportPage.Block] = []
    let confidence = FigureText.percent(input.comparisons[0].result.confidence)
    blocks.append(
      .paragraph(
        "Requests of both sides ran in turns, so that drift of the machine cancels. Bars are \(confidence) confidence intervals by bootstrap; one that crosses 1 shows no difference."
      ))
    blocks.append(.charts(input.comparisons.compactMap { intervalChart($0.result) }))
    for comparison in input.comparisons { blocks.append(.table(Self.speedupTable(comparison.result))) }
    for comparison in input.comparisons {
      guard let difference = comparison.result.overall.outputs?.firstDifference else { continue }
      blocks.append(
        .paragraph(
          "First difference, \(difference.category), after \(FigureText.count(difference.position)) equal characters: “…\(difference.a)…” against “…\(difference.b)…”."
        ))
    }
    return ReportPage.Section(heading: "Speedup by kind of prompt", blocks: blocks)
  }

  private func intervalChart(_ result: ServingComparisonResult) -> Chart? {
    let entries = ([result.overall] + result.categories).compactMap { category in
      category.outputThroughput.flatMap { ratio -> IntervalChart.Entry? in
        guard let lower = ratio.lower, let upper = ratio.upper else { return nil }
        return IntervalChart.Entry(
          name: category == result.overall ? "all" : category.name, ratio: ratio.ratio, lower: lower, upper: upper,
          isTotal: category == result.overall)
      }
    }
    return IntervalChart(
      title: Self.setting(result.a),
      summary:
        "Ratio of output tokens per second by kind of prompt, with confidence intervals; the table has the figures.",
      xTitle: "output tokens per second, \(Self.name(result.a)) over \(Self.name(result.b))", entries: entries
    ).chart
  }

  static func speedupTable(_ result: ServingComparisonResult) -> ReportPage.Table {
    func cell(_ ratio: ServingComparisonResult.Ratio?) -> ReportPage.Cell {
      ReportPage.Cell(text: ratio.map { FigureText.ratio($0.ratio, $0.lower, $0.upper) } ?? "–", isNumber: true)
    }
    let rows = (result.categories + [result.overall]).map { category in
      let isTotal = category == result.overall
      let outputs = category.outputs.map { "\(FigureText.count($0.equal)) of \(FigureText.count($0.compared))" }
      return ReportPage.Row(
        cells: [
          ReportPage.Cell(text: isTotal ? "all" : category.name), cell(category.outputThroughput), cell(category.tpot),
          cell(category.ttft), ReportPage.Cell(text: outputs ?? "–", isNumber: true),
        ], isChosen: isTotal)
    }
    return ReportPage.Table(
      caption:
        "\(Self.name(result.a)) over \(Self.name(result.b)), \(Self.setting(result.a)): above 1, \(Self.name(result.a)) is better.",
      head: ["Prompts", "Tokens per second", "Time per token", "First token", "Identical answers"].enumerated().map {
        ReportPage.Cell(text: $1, isNumber: $0 > 0)
      }, rows: rows)
  }

  private var throughput: ReportPage.Section? {
    guard !input.servings.isEmpty else { return nil }
    let rows = input.servings.flatMap { serving in
      ([("all", serving.result.total)] + serving.result.categories.map { ($0.name, $0.figures) }).map { name, figures in
        ReportPage.Row(cells: [
          ReportPage.Cell(text: Self.name(serving.result)), ReportPage.Cell(text: name),
          ReportPage.Cell(text: FigureText.significant(figures.outputThroughput), isNumber: true),
          ReportPage.Cell(
            text: figures.latencies[.ttft].map { FigureText.milliseconds($0.median) } ?? "–", isNumber: true),
          ReportPage.Cell(
            text: figures.latencies[.tpot].map { FigureText.milliseconds($0.median) } ?? "–", isNumber: true),
          ReportPage.Cell(text: "\(figures.completed)", isNumber: true),
          ReportPage.Cell(text: "\(figures.failed)", isNumber: true),
        ])
      }
    }
    let table = ReportPage.Table(
      caption: "Throughput and median latencies by kind of prompt.",
      head: ["Server", "Prompts", "Tokens/s", "TTFT ms", "TPOT ms", "Completed", "Failed"].enumerated().map {
        ReportPage.Cell(text: $1, isNumber: $0 > 1)
      }, rows: rows)
    return ReportPage.Section(heading: "Throughput", blocks: [.table(table)])
  }

  private var latency: ReportPage.Section? {
    let sides = sides
    guard !sides.isEmpty else { return nil }
    let charts = [ServingMetric.ttft, .tpot, .e2el].compactMap { metric in distribution(metric, sides) }
    let rows = sides.flatMap { side in
      [ServingMetric.ttft, .tpot, .itl, .itlByToken, .e2el].compactMap { metric -> ReportPage.Row? in
        guard let summary = side.result.total.latencies[metric] else { return nil }
        let figures = [summary.mean, summary.median, summary.milliseconds(at: 90), summary.milliseconds(at: 99)]
        return ReportPage.Row(
          cells: [ReportPage.Cell(text: side.name), ReportPage.Cell(text: metric.title)]
            + figures.map {
              ReportPage.Cell(text: $0.map { FigureText.milliseconds($0) } ?? "–", isNumber: true)
            })
      }
    }
    guard !rows.isEmpty else { return nil }
    let table = ReportPage.Table(
      caption: "Latencies in milliseconds, timed at the client's socket.",
      head: ["Server", "Latency", "Mean", "Median", "P90", "P99"].enumerated().map {
        ReportPage.Cell(text: $1, isNumber: $0 > 1)
      }, rows: rows)
    return ReportPage.Section(
      heading: "Latency",
      blocks: [
        .paragraph(
          "Each curve shows the share of requests that took no longer than the time below it; further left is better."),
        .charts(charts), .table(table),
      ])
  }

  private func distribution(_ metric: ServingMetric, _ sides: [Side]) -> Chart? {
    let series = sides.compactMap { side -> LineChart.Series? in
      guard let values = side.result.total.latencies[metric]?.distribution, values.count > 1 else { return nil }
      // The last percent of a long tail would leave the rest no room.
      let points = values.enumerated().prefix(values.count).compactMap { index, value -> LineChart.Point? in
        let percent = 100 * Double(index) / Double(values.count - 1)
        return percent <= 99 ? LineChart.Point(x: value, y: percent) : nil
      }
      return LineChart.Series(name: side.name, style: side.style, points: points, hasDots: false)
    }
    guard !series.isEmpty else { return nil }
    let titles: [ServingMetric: String] = [
      .ttft: "Time to first token", .tpot: "Time per output token", .e2el: "Whole answer",
    ]
    return LineChart(
      title: titles[metric] ?? metric.title,
      summary: "Cumulative distribution of the latency for each server, up to the 99th percentile.",
      xTitle: "milliseconds", yTitle: "% of requests", series: series, yLimit: 100
    ).chart
  }

  private var acceptance: ReportPage.Section? {
    let speculating = sides.filter { $0.result.total.speculation != nil }
    guard !speculating.isEmpty else { return nil }
    let charts = speculating.compactMap { side -> Chart? in
      let figures =
        [("all", side.result.total.speculation)]
        + side.result.categories.prefix(3).map { ($0.name, $0.figures.speculation) }
      let series = figures.enumerated().compactMap { index, figure -> LineChart.Series? in
        guard let rates = figure.1?.acceptanceRatePerPosition, !rates.isEmpty else { return nil }
        return LineChart.Series(
          name: figure.0, style: Chart.Style.at(index),
          points: rates.enumerated().map { LineChart.Point(x: Double($0 + 1), y: $1 * 100) })
      }
      return LineChart(
        title: side.name, summary: "Share of verifications in which the token at each position was accepted.",
        xTitle: "position in the window", yTitle: "% accepted", series: series, xBeginsAtZero: false, yLimit: 100,
        xIsWhole: true
      ).chart
    }
    let rows = speculating.flatMap { side in
      ([("all", side.result.total)] + side.result.categories.map { ($0.name, $0.figures) }).compactMap {
        name, figures -> ReportPage.Row? in
        guard let speculation = figures.speculation else { return nil }
        return ReportPage.Row(
          cells: [
            ReportPage.Cell(text: side.name), ReportPage.Cell(text: name),
            ReportPage.Cell(text: speculation.acceptanceRate.map { FigureText.percent($0) } ?? "–", isNumber: true),
            ReportPage.Cell(
              text: speculation.acceptanceLength.map { FigureText.significant($0) } ?? "–", isNumber: true),
            ReportPage.Cell(text: FigureText.count(speculation.drafts), isNumber: true),
          ], isChosen: name == "all")
      }
    }
    let table = ReportPage.Table(
      caption: "Acceptance, from the server's own counters.",
      head: ["Server", "Prompts", "Accepted", "Tokens per verification", "Verifications"].enumerated().map {
        ReportPage.Cell(text: $1, isNumber: $0 > 1)
      }, rows: rows)
    return ReportPage.Section(
      heading: "Acceptance by position",
      blocks: [
        .paragraph(
          "Of all verifications, the share whose proposal at a position was accepted. A position counts only if every one before it was accepted, so curves fall."
        ), .charts(charts), .table(table),
      ])
  }

  /// Dollars per million tokens of every side.
  func costRows(_ price: Price) -> [ReportPage.Row] {
    sides.map { side in
      ReportPage.Row(cells: [
        ReportPage.Cell(text: side.name), ReportPage.Cell(text: Self.setting(side.result)),
        ReportPage.Cell(text: FigureText.significant(side.result.total.outputThroughput), isNumber: true),
        ReportPage.Cell(
          text: price.perMillionTokens(at: side.result.total.outputThroughput).map { FigureText.dollars($0) } ?? "–",
          isNumber: true),
      ])
    }
  }

  /// How each side was asked and what it said of itself.
  var facts: [ReportPage.Section] {
    guard !sides.isEmpty else { return [] }
    let blocks = sides.map { side -> ReportPage.Block in
      let header = side.result.header
      var facts = [
        ReportPage.Fact(name: "Server", value: "\(side.name), \(header.baseURL)"),
        ReportPage.Fact(name: "Model", value: header.modelID),
        ReportPage.Fact(name: "Workload", value: "\(Self.setting(side.result)), \(header.numPrompts) requests"),
        ReportPage.Fact(
          name: "Tokens",
          value:
            "\(FigureText.count(side.result.total.totalInputTokens)) in, \(FigureText.count(side.result.total.totalOutputTokens)) out, in \(FigureText.significant(side.result.total.duration)) s"
        ),
        ReportPage.Fact(name: "Measured", value: "\(header.date) UTC\(header.isPartial ? ", ended early" : "")"),
      ]
      if let version = header.serverVersion { facts.insert(ReportPage.Fact(name: "Version", value: version), at: 2) }
      facts += header.metadata.sorted { $0.key < $1.key }.map { ReportPage.Fact(name: $0.key, value: $0.value) }
      return .facts(facts)
    }
    return [ReportPage.Section(heading: "Servers", blocks: blocks)]
  }
}
