package import Measurement
internal import Presentation

extension ReportPage.Section {
  /// Passes of a model beside the machine's limits.
  ///
  /// - Parameter hasOperations: whether to say how a pass's time falls to kinds of operation.
  package init(_ report: ForwardReport, hasOperations: Bool = true) {
    var ceilings = ReportPage.Table(
      "Measured between the passes, on the same threads.", ["Ceiling"], numbers: ["Median", "Spread"])
    for (name, unit, spread) in [
      ("reads", "GB/s", report.ceilings.readBandwidth), ("products of bytes", "Gop/s", report.ceilings.byteOperations),
      ("products of floats", "Gop/s", report.ceilings.floatOperations),
    ] { ceilings.add([name, "\(FigureText.decimal(spread.median / 1e9, 1)) \(unit)", spread.relative]) }
    var passes = ReportPage.Table(
      "The floor is the least time that the ceilings allow; of peak: the products alone, at the ceilings.",
      numbers: PassTiming.head + ["Floor ms", "Of floor", "Of peak", "Tokens/s"])
    // Milliseconds by kind of operation.
    let operations = [
      ("embedding", "Embedding"), ("norms", "Norms"), ("qkv", "QKV"), ("rope and store", "RoPE"),
      ("attention", "Attention"), ("attention output", "Output"), ("router", "Router"), ("gate and up", "Gate, up"),
      ("down", "Down"), ("head", "Head"),
    ].filter { $0.0 != "router" || report.expertPasses != nil }
    var breakdown = ReportPage.Table(
      "Milliseconds by kind of operation, medians.", numbers: PassTiming.head.prefix(2) + operations.map(\.1))
    for pass in report.passes {
      let timing = PassTiming(
        isPrefill: pass.kind == "prefill", context: pass.context, rows: pass.rows, seconds: pass.seconds,
        ratio: pass.ratioToSingle)
      passes.add(
        timing.cells + [
          FigureText.decimal(pass.floorSeconds * 1000, 2), FigureText.percent(pass.shareOfFloor),
          FigureText.percent(pass.shareOfPeak), timing.tokensPerSecond,
        ])
      breakdown.add(
        timing.cells.prefix(2) + operations.map { FigureText.decimal((pass.breakdown[$0.0] ?? 0) * 1000, 2) })
    }
    let others: [ReportPage.Table] = [Self.experts(report), report.head.map(Self.steps(of:))].compactMap(\.self)
    self.init(
      heading: "Passes of \(report.model)",
      blocks: [
        .charts(
          Self.charts(report),
          reading: "T(n): the time of a pass over n rows. The roofline is the least that the ceilings allow.")
      ], detailsTitle: "Ceilings, passes, operations",
      details: [
        .facts([
          (
            "Weights",
            "quantization \(report.quantization), \(FigureText.bytes(report.packedWeightBytes)), ready in \(FigureText.decimal(report.loadSeconds, 1)) s"
          ), ("Machine", "\(report.processor), \(report.threads) threads, \(report.kernels) kernels"),
          ("Figures", PassTiming.figures(report.repetitions)),
        ]), .table(ceilings), .table(passes),
      ] + others.map { .table($0) } + (hasOperations ? [.table(breakdown)] : []))
  }

  /// What a head takes to guess, beside T(1).
  private static func steps(of head: ForwardReport.Head) -> ReportPage.Table {
    let writesBlocks = head.steps.contains { $0.kind == .block }
    let what =
      writesBlocks
      ? "a block of guesses after a pass of the model, with taking over the streams of four rows that stand."
      : "the first after a pass of the model, with taking over its streams and reading the rows that stand; then one for each further guess."
    var table = ReportPage.Table(
      "Steps of the head \(head.name), \(FigureText.bytes(head.packedWeightBytes)): \(what)",
      ["Step"], numbers: ["Context", writesBlocks ? "Guesses" : "Rows", "ms", "Spread", "Of T(1)", "Spread of that"])
    for step in head.steps {
      table.add([
        step.kind.rawValue, "\(step.context)", "\(step.rows)", FigureText.decimal(step.seconds.median * 1000, 2),
        step.seconds.relative, FigureText.decimal(step.shareOfSingle.median, 3), step.shareOfSingle.relative,
      ])
    }
    return table
  }

  /// T(n, D) as it was measured, beside what was expected.
  private static func experts(_ report: ForwardReport) -> ReportPage.Table? {
    guard let passes = report.expertPasses, let cost = report.secondsPerExpert else { return nil }
    var table = ReportPage.Table(
      "T(n, D): n rows that go through D experts of a layer, on average. One more expert of a layer costs \(FigureText.decimal(cost * 1e6, 1)) µs by what was measured when the model was loaded.",
      ["Tokens"], numbers: ["Rows", "D", "Expected ms", "Measured ms", "Spread", "Off by"])
    for pass in passes {
      table.add([
        pass.tokens, "\(pass.rows)", FigureText.decimal(pass.experts, 1),
        FigureText.decimal(pass.predictedSeconds * 1000, 2), FigureText.decimal(pass.seconds.median * 1000, 2),
        pass.seconds.relative, FigureText.percent(pass.predictedSeconds / pass.seconds.median - 1),
      ])
    }
    return table
  }

  /// A chart for each of the first contexts.
  private static func charts(_ report: ForwardReport) -> [Chart] {
    let decoding = report.passes.filter { $0.kind == "decode" }
    var contexts: [Int] = []
    for pass in decoding where !contexts.contains(pass.context) { contexts.append(pass.context) }
    return contexts.prefix(4).compactMap { context in
      let passes = decoding.filter { $0.context == context }
      guard passes.count > 1 else { return nil }
      return PassChart.chart(
        "\(report.model) after \(FigureText.count(context)) positions", "T(n)",
        passes.map { ($0.rows, $0.seconds.median, $0.floorSeconds) })
    }
  }

  /// Passes on devices, whose limits nobody measures.
  package init(_ report: DeviceForwardReport) {
    var table = ReportPage.Table("", numbers: PassTiming.head + ["Weights GB/s", "Tokens/s"])
    for pass in report.passes {
      let timing = PassTiming(
        isPrefill: pass.kind == "prefill", context: pass.context, rows: pass.rows, seconds: pass.seconds,
        ratio: pass.ratioToSingle)
      table.add(
        timing.cells + [
          timing.isPrefill ? nil : FigureText.decimal(Double(report.weightBytes) / pass.seconds.median / 1e9, 1),
          timing.tokensPerSecond,
        ])
    }
    self.init(
      heading: "Passes of \(report.model)",
      blocks: [
        .facts([
          (
            "Weights",
            "\(report.dtype), \(FigureText.bytes(report.weightBytes)), ready in \(FigureText.decimal(report.loadSeconds, 1)) s"
          ), ("Devices", "\(report.platform): \(report.devices.joined(separator: ", "))"),
          ("Programs", "of \(report.programRows.map(String.init).joined(separator: ", ")) rows"),
          ("Figures", PassTiming.figures(report.repetitions)),
        ]), .table(table),
      ])
  }

  /// What is left of the speed beside competitors.
  package init(_ report: ContentionReport) {
    var table = ReportPage.Table(
      "Passes over one row. The fair share is what is left when every thread gets the same time.",
      numbers: ["Threads", "Competitors", "Passes/s", "Of quiet", "Spread", "Fair share"])
    for row in report.rows {
      table.add([
        "\(row.threads)", "\(row.competitors)", FigureText.decimal(row.passesPerSecond.median, 1),
        FigureText.percent(row.share.median),
        "± " + FigureText.percent((row.share.upperQuartile - row.share.lowerQuartile) / 2),
        FigureText.percent(row.fairShare),
      ])
    }
    let quota = report.quota.map { ", of which \(FigureText.decimal($0, 2)) are granted" } ?? ""
    self.init(
      heading: "\(report.model) beside competitors",
      blocks: [
        .facts([
          ("Weights", "quantization \(report.quantization)"),
          ("Machine", "\(report.processor), \(report.processors) cores\(quota)"),
          ("Figures", PassTiming.figures(report.rounds)),
        ]), .table(table),
      ])
  }
}

/// What tables say of every pass.
private struct PassTiming {
  let isPrefill: Bool
  let context, rows: Int
  let seconds: Spread
  let ratio: Spread?

  static let head = ["Context", "Rows", "ms", "Spread", "T(n)/T(1)"]

  var cells: [String?] {
    [
      "\(context)", (isPrefill ? "prefill " : "") + "\(rows)", FigureText.decimal(seconds.median * 1000, 2),
      seconds.relative, isPrefill ? nil : ratio.map { FigureText.decimal($0.median, 2) },
    ]
  }

  var tokensPerSecond: String { FigureText.decimal(Double(rows) / seconds.median, 1) }

  static func figures(_ rounds: Int) -> String {
    "medians of \(rounds) rounds, ± half the distance between the quartiles"
  }
}

extension Spread {
  /// "± 3 %": half the distance between the quartiles, of the median.
  fileprivate var relative: String { "± " + FigureText.percent((upperQuartile - lowerQuartile) / 2 / median) }
}
