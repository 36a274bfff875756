public import Foundation
internal import Mustache

/// Results as one page for people: HTML that needs nothing else, or Markdown.
///
/// Names, prompts and outputs come from servers and files that may be hostile, so every text is escaped by the template
/// engine where it is written.
public struct Report: Sendable {
  private let page: ReportPage

  /// A report on `input`.
  ///
  /// - Parameters:
  ///   - title: over everything; by default one that fits the results.
  ///   - createdAt: the day to print.
  public init(_ input: ReportInput, title: String? = nil, createdAt: Date = .now) {
    page = ReportBuilder(input: input).page(title: title, createdAt: createdAt)
  }

  /// One self-contained HTML file.
  ///
  /// - Throws: an error of the template engine when a template is damaged, which a test rules out.
  public func html() throws -> String {
    try Self.render(
      page, PackageResources.report_html_mustache, partials: ["chart": PackageResources.chart_svg_mustache])
  }

  /// The same in Markdown: tables instead of charts.
  ///
  /// - Throws: an error of the template engine when a template is damaged, which a test rules out.
  public func markdown() throws -> String {
    MustacheContentTypes.register(MarkdownContentType(), named: "MARKDOWN")
    let text = try Self.render(page, PackageResources.report_md_mustache)
    // Blocks leave empty lines behind; Markdown needs one.
    var lines: [Substring] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.allSatisfy({ $0 == " " }), lines.last?.isEmpty ?? true { continue }
      lines.append(line.allSatisfy { $0 == " " } ? "" : line)
    }
    return lines.joined(separator: "\n") + (lines.last?.isEmpty == true ? "" : "\n")
  }

  private static func render(
    _ page: ReportPage, _ template: [UInt8], partials: [String: [UInt8]] = [:]
  ) throws -> String {
    var library = MustacheLibrary()
    for (name, partial) in partials { try library.register(String(decoding: partial, as: UTF8.self), named: name) }
    return try MustacheTemplate(string: String(decoding: template, as: UTF8.self)).render(page, library: library)
  }
}

/// Text that Markdown shows as it is.
struct MarkdownContentType: MustacheContentType {
  func escapeText(_ text: String) -> String {
    var escaped = ""
    for character in text {
      switch character {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\\", "`", "*", "_", "[", "]", "|", "#", "~", "$": escaped += "\\\(character)"
      case _ where character.isNewline: escaped += " "
      default: escaped.append(character)
      }
    }
    return escaped
  }
}

/// Puts a page together from what the results contribute.
struct ReportBuilder {
  let input: ReportInput

  func page(title: String?, createdAt: Date) -> ReportPage {
    let serving = ServingSections(input: input)
    let tunings = input.tunings.map { TuningSections(result: $0.result) }
    let sweep = SweepSections(runs: input.sweep, failures: input.sweepFailures, price: input.price)
    var sections = sweep.sections + serving.sections + tunings.flatMap(\.sections)
    if let cost = cost(serving, tunings) { sections.append(cost) }
    sections += tunings.compactMap(\.passTimes)
    sections += input.forwards.compactMap { Self.forward($0.result) }
    sections += serving.facts + tunings.map(\.facts)
    return ReportPage(
      title: title ?? defaultTitle, subtitle: createdAt.formatted(.iso8601.year().month().day()),
      summary: sweep.summary + serving.summary + tunings.flatMap(\.summary),
      tiles: [sweep.tiles, serving.tiles, tunings.first?.tiles ?? []].first { !$0.isEmpty } ?? [], sections: sections)
  }

  private var defaultTitle: String {
    if let run = input.sweep.first { return "Drafts and windows for \(run.comparison.a.header.modelID)" }
    if let comparison = input.comparisons.first?.result {
      return "\(ServingSections.name(comparison.a)) and \(ServingSections.name(comparison.b))"
    }
    if let tuning = input.tunings.first?.result {
      return
        "Speculative decoding for \(tuning.target.name.split(separator: "/").last.map(String.init) ?? tuning.target.name)"
    }
    if let serving = input.servings.first?.result { return "Serving \(serving.header.modelID)" }
    return input.forwards.first.map { "Passes of \($0.result.model)" } ?? "Report"
  }

  private func cost(_ serving: ServingSections, _ tunings: [TuningSections]) -> ReportPage.Section? {
    let noted = serving.sides.compactMap { Price(notes: $0.result.header.metadata) }.first
    let price = input.price ?? noted ?? tunings.compactMap(\.result.price).first
    var blocks: [ReportPage.Block] = []
    let rows = price.map { serving.costRows($0) + tunings.flatMap(\.costRows) } ?? []
    if let price, !rows.isEmpty {
      let source = price.source.map { " (\($0))" } ?? ""
      blocks.append(
        .paragraph(
          "At \(FigureText.dollars(price.dollarsPerHour)) an hour\(price.instance.map { " for \($0)" } ?? "")\(source), if the machine does nothing else and is never idle."
        ))
      blocks.append(
        .table(
          ReportPage.Table(
            caption: "Cost of output tokens.",
            head: ["", "Load", "Tokens/s", "$ per million output tokens"].enumerated().map {
              ReportPage.Cell(text: $1, isNumber: $0 > 1)
            }, rows: rows)))
    }
    blocks += tunings.flatMap(\.memory).map { .paragraph($0) }
    return blocks.isEmpty ? nil : ReportPage.Section(heading: "Cost and memory", blocks: blocks)
  }

  /// Passes of a model beside the machine's limits, from `foretoken bench forward --json`.
  private static func forward(_ report: ForwardReport) -> ReportPage.Section? {
    let decoding = report.passes.filter { $0.kind == "decode" }
    var contexts: [Int] = []
    for pass in decoding where !contexts.contains(pass.context) { contexts.append(pass.context) }
    let charts = contexts.prefix(4).compactMap { context -> Chart? in
      let points = decoding.filter { $0.context == context }.map {
        TuningResult.PassTime(rows: $0.rows, seconds: $0.seconds.median, floorSeconds: $0.floorSeconds)
      }
      guard points.count > 1 else { return nil }
      return PassChart.chart(
        TuningResult.PassTimes(
          model: "\(report.model) after \(FigureText.count(context)) positions", isTarget: true, points: points))
    }
    guard !charts.isEmpty else { return nil }
    let ceilings = report.ceilings
    return ReportPage.Section(
      heading: "Passes of \(report.model)",
      blocks: [
        .paragraph(
          "T(n) of \(report.model) (quantization \(report.quantization)) on \(report.processor), \(report.threads) threads, \(report.kernels) kernels; medians of \(report.repetitions) rounds. The roofline follows from \(FigureText.significant(ceilings.readBandwidth.median / 1e9)) GB/s of reads and \(FigureText.significant(ceilings.byteOperations.median / 1e9)) (bytes) or \(FigureText.significant(ceilings.floatOperations.median / 1e9)) (floats) billion operations per second, measured between the passes."
        ), .charts(charts),
      ])
  }
}
