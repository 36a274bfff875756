internal import Foundation
internal import LoadTesting
internal import Tuning
internal import Presentation

/// What a sweep over drafts and windows contributes to a report.
struct SweepSections {
  let runs: [SweepRun]
  let failures: [SweepFailure]
  /// In place of the price that the results noted.
  let price: Price?

  /// Below this gain speculation is not worth its trouble, as in tuning.
  private static let leastGain = 1.03

  private var workloads: [String] { Self.unique(runs.map(\.workload)) }
  private var candidates: [SweepRun.Candidate] {
    Self.unique(runs.map(\.candidate)).sorted { ($0.draft ?? "", $0.window) < ($1.draft ?? "", $1.window) }
  }

  private static func unique<Element: Hashable>(_ list: [Element]) -> [Element] {
    var seen = Set<Element>()
    return list.filter { seen.insert($0).inserted }
  }

  private func runs(of candidate: SweepRun.Candidate) -> [SweepRun] { runs.filter { $0.candidate == candidate } }

  /// The geometric mean of a candidate's speedups over the workloads.
  private func gain(_ candidate: SweepRun.Candidate) -> Double {
    let own = runs(of: candidate)
    return exp(own.reduce(0) { $0 + log(max($1.soundSpeedup, 1e-9)) } / Double(max(own.count, 1)))
  }

  /// Candidates that were measured on every workload.
  private var complete: [SweepRun.Candidate] {
    candidates.filter { Set(runs(of: $0).map(\.workload)).count == workloads.count }
  }

  /// The one to take; `nil` where none gains enough.
  private var best: SweepRun.Candidate? {
    complete.max { gain($0) < gain($1) }.flatMap { gain($0) >= Self.leastGain ? $0 : nil }
  }

  /// Candidates that the measurement does not tell from the best: their intervals reach its speedup everywhere.
  private func equals(of best: SweepRun.Candidate) -> [SweepRun.Candidate] {
    complete.filter { other in
      other != best
        && runs(of: other).allSatisfy { run in
          guard let upper = run.speedup?.upper,
            let own = runs(of: best).first(where: { $0.workload == run.workload })?.speedup?.ratio
          else { return false }
          return upper >= own
        }
    }
  }

  private func name(_ candidate: SweepRun.Candidate) -> String {
    "\(candidate.draft.map(TuningResult.Candidate.shortened) ?? candidate.method), window \(candidate.window)"
  }

  /// The target and where its server was.
  var about: String? { runs.first.map { ServingSections.about($0.comparison.a.header) } }

  // MARK: - Summary

  var summary: [String] {
    guard !runs.isEmpty else {
      return failures.isEmpty ? [] : ["None of the sweep's \(failures.count) candidates could be measured."]
    }
    var text: String
    if let best {
      let found = runs(of: best).map { run in
        "\(run.speedup.map { FigureText.ratio($0.ratio, $0.lower, $0.upper) } ?? "–") on \(run.workload)"
      }
      text = "Take \(name(best)): tokens per second over plain decoding are \(found.joined(separator: ", "))."
      let equals = equals(of: best)
      if !equals.isEmpty {
        text += " Not told from it by this measurement: \(equals.map(name).joined(separator: "; "))."
      }
    } else {
      text =
        "Do not speculate: no candidate was faster than plain decoding by \(FigureText.percent(Self.leastGain - 1)) beyond its interval."
    }
    let differing = runs.filter { ($0.comparison.overall.outputs.map { $0.compared - $0.equal } ?? 0) > 0 }
    text +=
      differing.isEmpty
      ? " Every answer was identical to plain decoding's."
      : " Answers differ from plain decoding's in \(differing.count) of \(runs.count) comparisons; the tables say how many."
    if !failures.isEmpty { text += " \(failures.count) could not be measured." }
    return [text]
  }

  var tiles: [ReportPage.Tile] {
    guard let best, let run = runs(of: best).max(by: { $0.soundSpeedup < $1.soundSpeedup }) else { return [] }
    var tiles = [
      ReportPage.Tile(
        label: "Best speedup", value: run.speedup.map { FigureText.ratio($0.ratio) } ?? "–",
        detail: "\(name(best)), \(run.workload)")
    ]
    if let a = run.comparison.a.total.latencies[.tpot], let b = run.comparison.b.total.latencies[.tpot] {
      tiles.append(
        ReportPage.Tile(
          label: "Median time per token", value: "\(FigureText.significant(a.median)) ms",
          detail: "against \(FigureText.significant(b.median)) ms"))
    }
    if let tokens = run.tokensPerStep {
      tiles.append(
        ReportPage.Tile(
          label: "Tokens per verification", value: FigureText.significant(tokens.value),
          detail: (tokens.isCounted ? "the server's count" : "estimated from event timing")
            + (run.breakEvenTokensPerStep.map { "; breaks even at \(FigureText.significant($0))" } ?? "")))
    }
    if let own = dollars(run.comparison.a), let plain = dollars(run.comparison.b) {
      tiles.append(
        ReportPage.Tile(
          label: "Per million tokens", value: FigureText.dollars(own),
          detail: "against \(FigureText.dollars(plain)) without"))
    }
    return tiles
  }

  // MARK: - Sections

  var sections: [ReportPage.Section] {
    guard !runs.isEmpty || !failures.isEmpty else { return [] }
    return ([configuration, windows, costs, prompts] + [failed, conditions]).compactMap { $0 }
  }

  private var configuration: ReportPage.Section? {
    guard let best else { return nil }
    var flags = ["--method", best.method, "--num-speculative-tokens", "\(best.window)"]
    if let draft = best.draft { flags = ["--draft", draft] + flags }
    return ReportPage.Section(
      heading: "The configuration to use",
      blocks: [
        .listing(
          "foretoken deploy, with the sweep's other flags", [flags.map(ShellWord.quoted).joined(separator: " ")])
      ])
  }

  private var windows: ReportPage.Section? {
    guard !runs.isEmpty else { return nil }
    var blocks: [ReportPage.Block] = [
      .paragraph(
        "Every candidate ran beside one server without speculation, in turns, so that drift cancels. Speedups are ratios of output tokens per second with bootstrap intervals. Acceptance is the server's own count where it gives one; elsewhere tokens per step are estimated from when events arrive, marked “est.”. At break-even the candidate would be as fast as plain decoding."
      )
    ]
    blocks.append(.charts(workloads.compactMap(chart)))
    blocks += workloads.map { .table(table($0)) }
    return ReportPage.Section(heading: "Drafts and windows", blocks: blocks)
  }

  private func chart(_ workload: String) -> Chart? {
    let drafts = Self.unique(candidates.map { $0.draft ?? $0.method })
    let series = drafts.prefix(4).enumerated().map { index, draft in
      LineChart.Series(
        name: TuningResult.Candidate.shortened(draft), style: Chart.Style.at(index),
        points: candidates.filter { ($0.draft ?? $0.method) == draft }.compactMap { candidate in
          runs(of: candidate).first { $0.workload == workload }?.speedup.map {
            LineChart.Point(x: Double(candidate.window), y: $0.ratio, lower: $0.lower, upper: $0.upper)
          }
        })
    }
    return LineChart(
      title: workload, summary: "Tokens per second over plain decoding by window, a curve for each draft.",
      xTitle: "tokens proposed per verification", yTitle: "× plain decoding", series: series, xBeginsAtZero: false,
      yBeginsAtZero: false, reference: 1, xIsWhole: true
    ).chart
  }

  private func table(_ workload: String) -> ReportPage.Table {
    let own = candidates.compactMap { candidate in runs(of: candidate).first { $0.workload == workload } }
    var table = ReportPage.Table(
      "\(workload), \(own.first?.comparison.a.header.maxConcurrency.map { "\($0) at a time" } ?? ""): medians of latencies; ITL is between events. Break-even: accepted share, and tokens per step.",
      ["Draft"],
      numbers: [
        "Window", "Tokens/s", "without", "Speedup", "ITL ms", "TPOT ms", "TTFT ms", "Accepted", "Tokens/step",
        "Break-even", "$ per million", "without", "Identical answers",
      ])
    for run in own { table.add(cells(run), isChosen: run.candidate == best) }
    return table
  }

  private func cells(_ run: SweepRun) -> [String?] {
    let (a, b) = (run.comparison.a, run.comparison.b)
    func latency(_ metric: ServingMetric) -> String? {
      a.total.latencies[metric].map { FigureText.significant($0.median) }
    }
    let tokens = run.tokensPerStep
    let mark = tokens?.isCounted == false ? " est." : ""
    let accepted: String? =
      a.total.speculation?.acceptanceRate.map { FigureText.percent($0) }
      ?? tokens.map { FigureText.percent(run.acceptance($0.value)) + mark }
    let breakEven: String? = run.breakEvenTokensPerStep.map {
      "\(run.acceptance($0) > 1 ? "over 100 %" : FigureText.percent(run.acceptance($0))), \(FigureText.significant($0))"
    }
    let equal: String? = run.comparison.overall.outputs.map {
      "\(FigureText.count($0.equal)) of \(FigureText.count($0.compared))"
    }
    return [
      run.candidate.draft.map(TuningResult.Candidate.shortened) ?? run.candidate.method, "\(run.candidate.window)",
      FigureText.significant(a.total.outputThroughput),
      FigureText.significant(b.total.outputThroughput),
      run.speedup.map { FigureText.ratio($0.ratio, $0.lower, $0.upper) }, latency(.itl), latency(.tpot), latency(.ttft),
      accepted, tokens.map { FigureText.significant($0.value) + mark }, breakEven,
      dollars(a).map { FigureText.dollars($0) }, dollars(b).map { FigureText.dollars($0) }, equal,
    ]
  }

  // MARK: - Cost

  private func price(of side: ServingResult) -> Price? { price ?? Price(notes: side.header.metadata) }

  private func dollars(_ side: ServingResult) -> Double? {
    price(of: side)?.perMillionTokens(at: side.total.outputThroughput)
  }

  private var costs: ReportPage.Section? {
    guard let price = runs.lazy.compactMap({ self.price(of: $0.comparison.a) }).first else { return nil }
    let what = price.instance.map { " (\($0))" } ?? ""
    let source = price.source.map { "; \($0)" } ?? ""
    return ReportPage.Section(
      heading: "Cost",
      blocks: [
        .paragraph(
          "A server costs \(FigureText.dollars(price.dollarsPerHour)) an hour\(what)\(source). Dollars per million output tokens are that over the measured throughput, for a server that is never idle."
        )
      ])
  }

  // MARK: - Detail

  private var prompts: ReportPage.Section? {
    guard let best else { return nil }
    return ReportPage.Section(
      folded: "By kind of prompt, \(name(best))",
      runs(of: best).map { .table(ServingSections.speedupTable($0.comparison)) })
  }

  private var failed: ReportPage.Section? {
    guard !failures.isEmpty else { return nil }
    return ReportPage.Section(
      heading: "Not measured", blocks: [.facts(failures.map { ($0.candidate, $0.reason) })])
  }

  private var conditions: ReportPage.Section? {
    guard let first = runs.first?.comparison else { return nil }
    var facts = [
      (name: "Model", value: first.a.header.modelID), (name: "Without speculation", value: first.b.header.baseURL),
      (name: "Intervals", value: "\(FigureText.percent(first.confidence)), \(first.resamples) resamples of the turns"),
      (
        name: "Measured",
        value: Self.unique(runs.map(\.comparison.a.header.date)).sorted().joined(separator: ", ")
      ),
    ]
    if let version = first.a.header.serverVersion { facts.append(("Server", version)) }
    for (name, value) in first.a.header.metadata.sorted(by: { $0.key < $1.key })
    where !name.hasPrefix("sweep_") && !name.hasPrefix("price_") {
      facts.append((name, value))
    }
    return ReportPage.Section(folded: "How it was measured", [.facts(facts)])
  }
}
