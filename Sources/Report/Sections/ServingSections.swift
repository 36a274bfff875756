internal import Foundation
internal import LoadTesting
internal import Tuning
internal import Presentation

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
    let results = input.comparisons.flatMap { [$0.a, $0.b] } + input.servings
    return results.enumerated().map { Side(name: Self.name($1), result: $1, style: Chart.Style.at($0)) }
  }

  static func name(_ result: ServingResult) -> String { result.header.label ?? result.header.modelID }

  private static func setting(_ result: ServingResult) -> String {
    let load =
      result.header.maxConcurrency.map { "\($0) at a time" }
      ?? result.header.configuredRate.map { "\($0) requests/s" } ?? "all at once"
    return "\(result.header.dataset), \(load)"
  }

  /// The model, who proposes for it, and where; `nil` without results.
  ///
  /// - Parameter machine: of other results, where the servers do not say.
  func about(machine: String?) -> String? {
    guard let header = (input.comparisons.first?.a ?? input.servings.first)?.header else { return nil }
    return Self.about(header, machine: machine)
  }

  static func about(_ header: ServingResult.Header, machine: String? = nil) -> String {
    let served = header.served ?? [:]
    var text = header.modelID
    if let weights = served["weights"] { text += " (\(weights))" }
    if let method = served["speculation"], method != "none" {
      text += ", speculation by \(method)" + ((served["draft"] ?? served["head"]).map { " with \($0)" } ?? "")
    }
    let own = [
      served["processor"], served["threads"].map { "\($0) threads" }, served["kernels"].map { "\($0) kernels" },
    ]
    .compactMap { $0 }
    if let place = own.isEmpty ? machine : own.joined(separator: ", ") { text += ", on \(place)" }
    let version = header.serverVersion.map { "; server version \($0)" } ?? ""
    return "\(text)\(version). Workload: \(header.dataset), \(header.numPrompts) requests."
  }

  // MARK: - Summary

  var summary: [String] {
    input.comparisons.map { result in
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
    guard let result = input.comparisons.first else {
      return input.servings.first.map { serving in
        [
          ReportPage.Tile(
            label: "Output throughput", value: FigureText.significant(serving.total.outputThroughput),
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
          label: "Median time per token", value: "\(FigureText.significant(a.median)) ms",
          detail: "against \(FigureText.significant(b.median)) ms"))
    }
    if let speculation = result.a.total.speculation, let length = speculation.acceptanceLength {
      tiles.append(
        ReportPage.Tile(
          label: "Tokens per verification", value: FigureText.significant(length),
          detail: speculation.acceptanceRate.map { "\(FigureText.percent($0)) of proposals accepted" } ?? ""))
    }
    if let price = input.price ?? Price(notes: result.a.header.metadata),
      let own = price.perMillionTokens(at: result.a.total.outputThroughput),
      let other = price.perMillionTokens(at: result.b.total.outputThroughput)
    {
      tiles.append(
        ReportPage.Tile(
          label: "Per million tokens", value: FigureText.dollars(own), detail: "against \(FigureText.dollars(other))"))
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
    let confidence = FigureText.percent(input.comparisons[0].confidence)
    let charts = input.comparisons.compactMap(intervalChart)
    blocks.append(
      .charts(
        charts,
        reading:
          "Requests of both sides ran in turns, so that drift of the machine cancels. Bars are \(confidence) confidence intervals by bootstrap; one that crosses 1 shows no difference."
      ))
    let tables = input.comparisons.map { ReportPage.Block.table(Self.speedupTable($0)) }
    // Where charts say it all, the figures are for those who look for them.
    let isDrawn = charts.count == tables.count
    if !isDrawn { blocks += tables }
    for comparison in input.comparisons {
      guard let difference = comparison.overall.outputs?.firstDifference else { continue }
      blocks.append(
        .paragraph(
          "First difference, \(difference.category), after \(FigureText.count(difference.position)) equal characters: “…\(difference.a)…” against “…\(difference.b)…”."
        ))
    }
    return ReportPage.Section(
      heading: "Speedup by kind of prompt", blocks: blocks, detailsTitle: "Tokens per second by kind of prompt",
      details: isDrawn ? tables : [], isOpenInText: true)
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
    // A bar for all of them is in the summary; kinds without an interval would be missing.
    guard entries.count == result.categories.count + 1, entries.count > 1 else { return nil }
    return IntervalChart(
      title: Self.setting(result.a),
      summary:
        "Ratio of output tokens per second by kind of prompt, with confidence intervals; the table has the figures.",
      xTitle: "output tokens per second, \(Self.name(result.a)) over \(Self.name(result.b))", entries: entries
    ).chart
  }

  static func speedupTable(_ result: ServingComparisonResult) -> ReportPage.Table {
    func text(_ ratio: ServingComparisonResult.Ratio?) -> String? {
      ratio.map { FigureText.ratio($0.ratio, $0.lower, $0.upper) }
    }
    func throughput(_ side: ServingResult, _ category: ServingComparisonResult.Category) -> String {
      let figures = category == result.overall ? nil : side.categories.first { $0.name == category.name }?.figures
      return FigureText.significant((figures ?? side.total).outputThroughput)
    }
    let (a, b) = (name(result.a), name(result.b))
    var table = ReportPage.Table(
      "\(a) over \(b), \(setting(result.a)), in turns: above 1, \(a) is better.", ["Prompts"],
      numbers: ["\(a), tokens/s", "\(b), tokens/s", "Tokens per second", "First token", "Identical answers"])
    for category in result.categories + [result.overall] {
      let isTotal = category == result.overall
      table.add(
        [
          isTotal ? "all" : category.name, throughput(result.a, category), throughput(result.b, category),
          text(category.outputThroughput), text(category.ttft),
          category.outputs.map { "\(FigureText.count($0.equal)) of \(FigureText.count($0.compared))" },
        ], isChosen: isTotal)
    }
    return table
  }

  private var throughput: ReportPage.Section? {
    guard !input.servings.isEmpty else { return nil }
    var table = ReportPage.Table(
      "Throughput and median latencies by kind of prompt.", ["Server", "Prompts"],
      numbers: ["Tokens/s", "TTFT ms", "TPOT ms", "Completed", "Failed"])
    for serving in input.servings {
      for (name, figures) in serving.byCategory {
        table.add([
          Self.name(serving), name, FigureText.significant(figures.outputThroughput),
          figures.latencies[.ttft].map { FigureText.significant($0.median) },
          figures.latencies[.tpot].map { FigureText.significant($0.median) }, "\(figures.completed)",
          "\(figures.failed)",
        ])
      }
    }
    return ReportPage.Section(heading: "Throughput", blocks: [.table(table)])
  }

  private var latency: ReportPage.Section? {
    let sides = sides
    guard !sides.isEmpty else { return nil }
    let charts = [ServingMetric.ttft, .tpot].compactMap { metric in distribution(metric, sides) }
    let whole = [distribution(.e2el, sides)].compactMap { $0 }
    var table = ReportPage.Table(
      "Latencies in milliseconds, timed at the client's socket.", ["Server", "Latency"],
      numbers: ["Mean", "Median", "P90", "P99"])
    for side in sides {
      let latencies = side.result.total.latencies
      for metric in [ServingMetric.ttft, .tpot, .itl, .itlByToken, .e2el] {
        // With a token in every event the two are one.
        guard let summary = latencies[metric], metric != .itlByToken || summary != latencies[.itl] else { continue }
        let figures = [summary.mean, summary.median, summary.milliseconds(at: 90), summary.milliseconds(at: 99)]
        table.add([side.name, metric.title] + figures.map { $0.map(FigureText.significant) })
      }
    }
    guard !table.rows.isEmpty else { return nil }
    return ReportPage.Section(
      heading: "Latency",
      blocks: [
        .charts(
          charts,
          reading:
            "Each curve shows the share of requests that took no longer than the time below it; further left is better."
        )
      ], detailsTitle: "Whole answers; mean, median, P90 and P99", details: [.charts(whole), .table(table)])
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
    let charts = speculating.compactMap { side in
      LineChart.acceptance(
        side.name, summary: "Share of verifications in which the token at each position was accepted.",
        side.result.byCategory.prefix(4).map { ($0.name, $0.figures.speculation?.acceptanceRatePerPosition ?? []) })
    }
    var table = ReportPage.Table(
      "Acceptance, from the server's own counters.", ["Server", "Prompts"],
      numbers: ["Accepted", "Tokens per verification", "Verifications"])
    for side in speculating {
      for (name, figures) in side.result.byCategory {
        guard let speculation = figures.speculation else { continue }
        table.add(
          [
            side.name, name, speculation.acceptanceRate.map(FigureText.percent),
            speculation.acceptanceLength.map(FigureText.significant), FigureText.count(speculation.drafts),
          ], isChosen: name == "all")
      }
    }
    return ReportPage.Section(
      heading: "Acceptance by position",
      blocks: [
        .charts(
          charts,
          reading:
            "Of all verifications, the share whose proposal at a position was accepted. A position counts only if every one before it was accepted, so curves fall."
        )
      ], detailsTitle: "Acceptance by kind of prompt", details: [.table(table)])
  }

  /// Dollars per million tokens of every side.
  func addCosts(to table: inout ReportPage.Table, _ price: Price) {
    for side in sides {
      let throughput = side.result.total.outputThroughput
      table.add([
        side.name, Self.setting(side.result), FigureText.significant(throughput),
        price.perMillionTokens(at: throughput).map(FigureText.dollars),
      ])
    }
  }

  /// How each side was asked and what it said of itself: once where both say the same.
  var facts: [ReportPage.Section] {
    guard !sides.isEmpty else { return [] }
    var facts: [(name: String, value: String)] = []
    for side in sides {
      let (header, total) = (side.result.header, side.result.total)
      var own = [(name: "Model", value: header.modelID)]
      own += (header.served ?? [:]).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
      if let version = header.serverVersion { own.append(("Version", version)) }
      own += [
        ("Workload", "\(Self.setting(side.result)), \(header.numPrompts) requests"),
        ("Measured", "\(header.date) UTC\(header.isPartial ? ", ended early" : "")"),
      ]
      own += header.metadata.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
      own.append(
        (
          side.name,
          "\(header.baseURL): \(FigureText.count(total.totalInputTokens)) tokens in, \(FigureText.count(total.totalOutputTokens)) out, in \(FigureText.significant(total.duration)) s"
        ))
      facts += own.filter { fact in !facts.contains { $0 == fact } }
    }
    return [ReportPage.Section(folded: "How it was measured", [.facts(facts)])]
  }
}

extension ServingResult {
  /// All requests, then each kind of prompt.
  fileprivate var byCategory: [(name: String, figures: ServingFigures)] {
    [("all", total)] + categories.map { ($0.name, $0.figures) }
  }
}
