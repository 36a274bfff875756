internal import Foundation
internal import LoadTesting
internal import Presentation

/// A result of `foretoken bench serve` in vLLM's lines, and a table by category.
struct BenchServeText {
  private let result: ServingResult
  private let metrics: [ServingMetric]
  private let style = TextStyle(for: .standardOutput)

  init(_ result: ServingResult, metrics: [ServingMetric]) {
    self.result = result
    self.metrics = metrics
  }

  private static let width = 50

  var rendered: String {
    var lines = [Self.rule(" Serving Benchmark Result ", "=")]
    lines += totals + metrics.flatMap(latency) + speculation
    lines.append(String(repeating: "=", count: Self.width))
    var text = lines.joined(separator: "\n") + "\n"
    if result.categories.count > 1 { text += "\n" + categories }
    return text + footnotes.map { style.dim($0) + "\n" }.joined()
  }

  private static func rule(_ title: String, _ character: Character) -> String {
    let rest = max(width - title.count, 0)
    return String(repeating: character, count: rest / 2) + title + String(repeating: character, count: rest - rest / 2)
  }

  private static func line(_ name: String, _ value: String) -> String {
    name.padding(toLength: max(40, name.count), withPad: " ", startingAt: 0) + " " + value
  }

  private static func line(_ name: String, _ value: Double) -> String { line(name, String(format: "%.2f", value)) }

  private var totals: [String] {
    let (header, total) = (result.header, result.total)
    var lines = [
      Self.line("Successful requests:", "\(total.completed)"), Self.line("Failed requests:", "\(total.failed)"),
    ]
    lines += total.failures.map { failure in
      Self.line(
        "  \(failure.kind.rawValue)\(failure.status.map { " (\($0))" } ?? ""):", "\(failure.count)  \(failure.example)")
    }
    if let limit = header.maxConcurrency { lines.append(Self.line("Maximum request concurrency:", "\(limit)")) }
    if let rate = header.configuredRate { lines.append(Self.line("Request rate configured (RPS):", rate)) }
    lines += [
      Self.line("Benchmark duration (s):", total.duration),
      Self.line("Total input tokens:", "\(total.totalInputTokens)"),
      Self.line("Total generated tokens:", "\(total.totalOutputTokens)"),
      Self.line("Request throughput (req/s):", total.requestThroughput),
    ]
    if let goodput = total.requestGoodput { lines.append(Self.line("Request goodput (req/s):", goodput)) }
    return lines + [
      Self.line("Output token throughput (tok/s):", total.outputThroughput),
      Self.line("Peak output token throughput (tok/s):", total.maxOutputTokensPerSecond),
      Self.line("Peak concurrent requests:", Double(total.maxConcurrentRequests)),
      Self.line("Total token throughput (tok/s):", total.totalTokenThroughput),
    ]
  }

  private func latency(_ metric: ServingMetric) -> [String] {
    guard let summary = result.total.latencies[metric] else { return [] }
    var lines = [
      Self.rule(metric.heading, "-"), Self.line("Mean \(metric.title) (ms):", summary.mean),
      Self.line("Median \(metric.title) (ms):", summary.median),
    ]
    for percentile in summary.percentiles {
      let word =
        percentile.percent == percentile.percent.rounded() ? "\(Int(percentile.percent))" : "\(percentile.percent)"
      lines.append(Self.line("P\(word) \(metric.title) (ms):", percentile.milliseconds))
    }
    return lines
  }

  private var speculation: [String] {
    guard let speculation = result.total.speculation else { return [] }
    var lines = [
      Self.rule("Speculative Decoding", "-"),
      Self.line("Acceptance rate (%):", (speculation.acceptanceRate ?? 0) * 100),
    ]
    if let length = speculation.acceptanceLength {
      lines += [Self.line("Acceptance length:", length), Self.line("Drafts:", "\(speculation.drafts)")]
    }
    lines += [
      Self.line("Draft tokens:", "\(speculation.draftTokens)"),
      Self.line("Accepted tokens:", "\(speculation.acceptedTokens)"),
    ]
    let rates = speculation.acceptanceRatePerPosition
    if !rates.isEmpty {
      lines.append("Per-position acceptance (%):")
      lines += rates.enumerated().map { Self.line("  Position \($0):", $1 * 100) }
    }
    return lines
  }

  private var categories: String {
    let mixed = result.categories.reduce(0) { $0 + $1.figures.duration } > result.total.duration * 1.01
    var table = ReportPage.Table(
      "Medians, except P99.", ["category"],
      numbers: [
        "requests", "failed", "tokens", mixed ? "tok/s (share)" : "tok/s", "TTFT ms", "TPOT ms", "P99 ITL ms",
        "E2EL ms",
        "acceptance", "length",
      ])
    for category in result.categories {
      let figures = category.figures
      func median(_ metric: ServingMetric) -> String? {
        figures.latencies[metric].map { FigureText.decimal($0.median, 2) }
      }
      table.add([
        category.name, "\(figures.completed)", "\(figures.failed)", "\(figures.totalOutputTokens)",
        FigureText.decimal(figures.outputThroughput, 1), median(.ttft), median(.tpot),
        figures.latencies[.itl]?.milliseconds(at: 99).map { FigureText.decimal($0, 2) }, median(.e2el),
        figures.speculation?.acceptanceRate.map { FigureText.percent($0, digits: 1) },
        figures.speculation?.acceptanceLength.map { FigureText.decimal($0, 2) },
      ])
    }
    return TerminalWriter(style: style).text([.table(table)])
  }

  private var footnotes: [String] {
    var notes: [String] = []
    if result.header.isPartial {
      notes.append(
        "Stopped early: \(result.total.completed + result.total.failed) of \(result.header.numPrompts) requests.")
    }
    if result.total.speculation == nil {
      notes.append("No acceptance: neither /metrics nor the responses tell of speculation.")
    } else if result.total.speculation?.source == .responses {
      notes.append("Acceptance is from the responses: /metrics has no counters of it.")
    }
    if result.client.tokenCounts.contains(.events) {
      notes.append("Some answers carried no usage: each of their events was taken for a token.")
    } else if result.client.tokenCounts.contains(.estimated) {
      notes.append("Some events held several tokens, shared out by length of text: name --tokenizer to count them.")
    }
    var client = String(format: "The load generator used %.0f %% of a core", result.client.cpuUtilization * 100)
    if result.header.configuredRate != nil, result.header.maxConcurrency == nil {
      client += String(
        format: "; the latest percent of requests left %.2f ms late", result.client.p99SendLagMilliseconds)
    }
    return notes + [client + "."]
  }
}
