internal import Benchmarking
internal import Foundation

/// A tuning as tables for a terminal.
struct TuneText {
  private let result: TuningResult
  private let style = TextStyle(for: .standardOutput)

  init(_ result: TuningResult) { self.result = result }

  /// What was measured, and the configuration that follows.
  var rendered: String {
    ([header] + [passes, acceptance].compactMap { $0 } + result.concurrencies.map(candidates) + [
      border, memory, choice,
    ])
    .compactMap { $0 }.joined(separator: "\n\n") + "\n"
  }

  private var header: String {
    let machine = [
      result.machine.name, result.machine.threads.map { "\($0) threads" },
      result.machine.kernels.map { "\($0) kernels" },
    ].compactMap { $0 }.joined(separator: ", ")
    return """
      \(style.bold(result.target.name)) on \(machine)
      \(result.workload.name): \(result.workload.requests) prompts, \(number(result.workload.promptTokens)) tokens in and \
      \(number(result.workload.outputTokens)) out on average
      """
  }

  private var passes: String? {
    guard !result.passTimes.isEmpty else { return nil }
    return result.passTimes.map { times in
      let shown = times.points.filter { times.points.count < 12 || [1, 2, 4, 8, 16, 32, 64, 128].contains($0.rows) }
      let points = shown.map { point in
        "\(point.rows): \(milliseconds(point.seconds))" + (point.floorSeconds.map { " (\(milliseconds($0)))" } ?? "")
      }
      return "\(times.isTarget ? "T(n)" : "d(n)") in ms by rows, and the least possible, \(times.model)\n  "
        + points.joined(separator: "  ")
    }.joined(separator: "\n")
  }

  private var acceptance: String? {
    let whole = result.acceptance.filter { $0.category == nil }
    guard !whole.isEmpty else { return nil }
    var table = Table([("acceptance by position, %", .left), ("length", .right), ("1, 2, …", .left)])
    for one in whole {
      table.append([
        one.candidate.title, String(format: "%.2f", one.meanLength),
        one.byPosition.map { String(format: "%.0f", $0 * 100) }.joined(separator: " "),
      ])
    }
    return table.rendered(style: style)
  }

  /// Verified candidates, and the best predicted one of every other way.
  private func candidates(_ concurrency: Int) -> String {
    let here = result.entries.filter { $0.concurrency == concurrency }
    let hasPrice = result.price != nil
    var table = Table(
      [
        ("\(concurrency) at a time", .left), ("predicted", .right), ("measured", .right), ("error", .right),
        ("speedup", .right), ("95 %", .left), ("length", .right), ("breaks even", .right),
      ] + (hasPrice ? [("$/M tokens", .right)] : []))
    for entry in shown(here) {
      let interval = entry.measuredSpeedup.map { String(format: "%.2f to %.2f", $0.lower, $0.upper) }
      var row = [
        entry.candidate.title, rate(entry.predicted), rate(entry.measured),
        entry.predictionError.map { String(format: "%+.1f %%", $0 * 100) } ?? "–",
        entry.candidate == .plain ? "1.00x" : String(format: "%.2fx", entry.bestSpeedup),
        entry.candidate == .plain ? "" : interval ?? "predicted",
        entry.meanAcceptanceLength.formatted(digits: 2), entry.breakEvenLength.formatted(digits: 2),
      ]
      if hasPrice { row.append(entry.dollarsPerMillionTokens.map { dollars($0) } ?? "–") }
      table.append(row)
    }
    return table.rendered(style: style)
  }

  private func shown(_ entries: [TuningResult.Entry]) -> [TuningResult.Entry] {
    var families: Set<String> = []
    for entry in entries where entry.measured != nil {
      families.insert(entry.candidate.method + (entry.candidate.draft ?? ""))
    }
    var others: [String: TuningResult.Entry] = [:]
    for entry in entries {
      let family = entry.candidate.method + (entry.candidate.draft ?? "")
      guard !families.contains(family) else { continue }
      if entry.bestTokensPerSecond > others[family]?.bestTokensPerSecond ?? 0 { others[family] = entry }
    }
    return entries.filter { entry in entry.measured != nil || others.values.contains(entry) }
  }

  private var border: String? {
    result.breakEvenConcurrency.map {
      "Speculation breaks even at about \(number($0)) at a time."
    }
  }

  private var memory: String? {
    guard !result.draftMemory.isEmpty else { return nil }
    return result.draftMemory.map { memory in
      let capacity = memory.capacity.map {
        "; of the memory given \($0.with) positions remain instead of \($0.without)"
      }
      return
        "\(memory.draft): \(readable(bytes: memory.weightBytes)) of weights, the room of \(memory.tokensDisplacedByWeights) positions of the target's KV cache, and \(String(format: "%.0f", memory.shareDisplacedByKeysAndValues * 100)) % of the rest for its own keys and values\(capacity ?? "")"
    }.joined(separator: "\n")
  }

  private var choice: String {
    let choice = result.choice
    var lines = [style.bold(choice.reason)]
    if !choice.flags.isEmpty {
      lines.append(
        "\nForetoken   foretoken serve \(result.target.name) "
          + choice.flags.map(ShellWord.quoted).joined(separator: " "))
    }
    if let json = choice.speculativeConfig { lines.append("vLLM        --speculative-config '\(json)'") }
    lines.append("\n" + choice.values.trimmingCharacters(in: .newlines))
    if !result.assumptions.isEmpty { lines.append("\n" + style.dim(result.assumptions.joined(separator: "\n"))) }
    return lines.joined(separator: "\n")
  }

  private func rate(_ performance: TuningResult.Performance?) -> String {
    performance.map { number($0.tokensPerSecond) } ?? "–"
  }
  private func milliseconds(_ seconds: Double) -> String { number(seconds * 1000) }
  private func number(_ value: Double) -> String {
    String(format: value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value)
  }
  private func dollars(_ value: Double) -> String { String(format: value >= 0.1 ? "%.2f" : "%.4f", value) }
}
