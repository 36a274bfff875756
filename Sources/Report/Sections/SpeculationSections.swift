internal import Decoding
package import Measurement
internal import Presentation

extension ReportPage.Section {
  /// Every way to speculate on one workload, at one number of requests at a time.
  package init(_ results: [SpeculationBenchmark.Result]) {
    var table = ReportPage.Table(
      "Levelled: every pass at the median time of passes of its size over all runs.", ["Method"],
      numbers: ["Tokens/s", "Speedup", "Spread", "Levelled", "Acceptance", "Mean length"])
    for row in results {
      table.add([
        row.method, FigureText.decimal(row.tokensPerSecond, 0), FigureText.ratio(row.speedup),
        FigureText.decimal(row.speedupSpread, 2), FigureText.ratio(row.levelledSpeedup),
        row.acceptanceRate.map(FigureText.percent), row.meanAcceptanceLength.map { FigureText.decimal($0, 2) },
      ])
    }
    self.init(
      heading: results.first.map { "\($0.workload), \(Self.conditions($0))" } ?? "Speculation",
      blocks: [
        .table(table),
        .paragraph(
          "auto reaches \(Self.regret(results, \.speedup)), levelled \(Self.regret(results, \.levelledSpeedup))."),
      ])
  }

  /// Every way to speculate on several workloads, at one number of requests at a time and one temperature.
  package init(byWorkload results: [SpeculationBenchmark.Result]) {
    var workloads: [String: [SpeculationBenchmark.Result]] = [:]
    var (order, methods): ([String], [String]) = ([], [])
    for row in results {
      if workloads[row.workload] == nil { order.append(row.workload) }
      if !row.isPlain, !methods.contains(row.method) { methods.append(row.method) }
      workloads[row.workload, default: []].append(row)
    }
    var table = ReportPage.Table(
      "Speed over plain decoding; the same by time per token after the first; tokens per pass.", ["Workload"],
      numbers: methods)
    for name in order {
      table.add(
        [name]
          + methods.map { method in
            workloads[name]?.first { $0.method == method }.map { row in
              let others = [
                row.perTokenSpeedup.map { FigureText.ratio($0) }, row.tokensPerPass.map { FigureText.decimal($0, 2) },
              ]
              return ([FigureText.ratio(row.speedup)] + others.compactMap(\.self)).joined(separator: ", ")
            }
          })
    }
    self.init(
      heading: results.first.map { "By workload, \(Self.conditions($0))" } ?? "Speculation", blocks: [.table(table)])
  }

  private static func conditions(_ result: SpeculationBenchmark.Result) -> String {
    let choice = result.temperature > 0 ? "temperature \(result.temperature)" : "greedy"
    return "\(result.concurrency) at a time, \(choice)"
  }

  /// How close `auto` came to the choice that a fixed setting would have had to be.
  private static func regret(
    _ rows: [SpeculationBenchmark.Result], _ speedup: (SpeculationBenchmark.Result) -> Double
  ) -> String {
    let automatic = SpeculationMethod.automatic.rawValue
    let fixed = rows.filter { $0.method != automatic }.max { speedup($0) < speedup($1) }
    guard let fixed, let auto = rows.first(where: { $0.method == automatic }) else { return "–" }
    return "\(FigureText.percent(speedup(auto) / speedup(fixed))) of the best fixed choice (\(fixed.method))"
  }
}

extension ReportPage.Table {
  /// Plain decoding and `auto` in turns, beside competitors.
  package init(_ results: [SpeculationBenchmark.Contended]) {
    self.init("", numbers: ["Competitors", "Plain tok/s", "auto tok/s", "Speedup", "Quartiles", "Pairs"])
    for result in results {
      add([
        "\(result.competitors)", FigureText.decimal(result.plain, 0), FigureText.decimal(result.automatic, 0),
        FigureText.ratio(result.speedup.median),
        "\(FigureText.decimal(result.speedup.lowerQuartile, 2)) to \(FigureText.decimal(result.speedup.upperQuartile, 2))",
        "\(result.pairs)",
      ])
    }
  }
}
