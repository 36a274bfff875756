package import Foundation
internal import LoadTesting
internal import Measurement
internal import Mustache
internal import Tuning
package import Presentation

/// Results as one page for people, described once and written as HTML that needs nothing else, as Markdown, or for a
/// terminal.
///
/// Names, prompts and outputs come from servers and files that may be hostile, so every text is escaped by the template
/// engine where it is written.
package struct Report: Sendable {
  private let page: ReportPage

  /// A report on `input`.
  ///
  /// - Parameters:
  ///   - title: over everything; by default one that fits the results.
  ///   - createdAt: the day to print.
  package init(_ input: ReportInput, title: String? = nil, createdAt: Date = .now) {
    page = ReportBuilder(input: input).page(title: title, createdAt: createdAt)
  }

  /// One self-contained HTML file.
  ///
  /// - Throws: an error of the template engine when a template is damaged, which a test rules out.
  package func html() throws -> String {
    try Self.render(
      page, PackageResources.report_html_mustache,
      partials: [
        "block": PackageResources.block_html_mustache, "chart": PackageResources.chart_svg_mustache,
      ])
  }

  /// The same in Markdown: tables instead of charts.
  ///
  /// - Throws: an error of the template engine when a template is damaged, which a test rules out.
  package func markdown() throws -> String {
    MustacheContentTypes.register(MarkdownContentType(), named: "MARKDOWN")
    let text = try Self.render(
      page, PackageResources.report_md_mustache, partials: ["block": PackageResources.block_md_mustache])
    // Blocks leave empty lines behind; Markdown needs one.
    var lines: [Substring] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.allSatisfy({ $0 == " " }), lines.last?.isEmpty ?? true { continue }
      lines.append(line.allSatisfy { $0 == " " } ? "" : line)
    }
    return lines.joined(separator: "\n") + (lines.last?.isEmpty == true ? "" : "\n")
  }

  package func terminal(style: TextStyle) -> String { TerminalWriter(style: style).text(page) }

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
    let tunings = input.tunings.map { TuningSections(result: $0) }
    let sweep = SweepSections(runs: input.sweep, failures: input.sweepFailures, price: input.price)
    var sections = sweep.sections + serving.sections + tunings.flatMap(\.sections)
    if let cost = cost(serving, tunings) { sections.append(cost.folded) }
    sections += tunings.compactMap(\.passTimes)
    // Passes alone are what a report is on; beside answers they are an explanation.
    let isAlone = sections.isEmpty
    sections += input.forwards.map {
      isAlone ? ReportPage.Section($0) : ReportPage.Section($0, hasOperations: false).folded
    }
    sections += serving.facts + tunings.map(\.facts)
    return ReportPage(
      title: title ?? defaultTitle, subtitle: createdAt.formatted(.iso8601.year().month().day()),
      about: about(serving, tunings),
      summary: sweep.summary + serving.summary + tunings.flatMap(\.summary),
      tiles: [sweep.tiles, serving.tiles, tunings.first?.tiles ?? []].first { !$0.isEmpty } ?? [], sections: sections)
  }

  private var defaultTitle: String {
    if let run = input.sweep.first { return "Drafts and windows for \(run.comparison.a.header.modelID)" }
    if let comparison = input.comparisons.first {
      return "\(ServingSections.name(comparison.a)) and \(ServingSections.name(comparison.b))"
    }
    if let tuning = input.tunings.first {
      return "Speculative decoding for \(TuningResult.Candidate.shortened(tuning.target.name))"
    }
    if let serving = input.servings.first { return "Serving \(serving.header.modelID)" }
    return input.forwards.first.map { "Passes of \($0.model)" } ?? "Report"
  }

  /// The models and the machine, from whichever result says most of them.
  private func about(_ serving: ServingSections, _ tunings: [TuningSections]) -> String? {
    let machine = input.forwards.first.map { "\($0.processor), \($0.threads) threads, \($0.kernels) kernels" }
    return serving.about(machine: machine) ?? SweepSections(runs: input.sweep, failures: [], price: nil).about
      ?? tunings.first?.about
      ?? input.forwards.first.map { "\($0.model), quantization \($0.quantization), on \(machine ?? "")." }
  }

  private func cost(_ serving: ServingSections, _ tunings: [TuningSections]) -> ReportPage.Section? {
    let noted = serving.sides.compactMap { Price(notes: $0.result.header.metadata) }.first
    let price = input.price ?? noted ?? tunings.compactMap(\.result.price).first
    var blocks: [ReportPage.Block] = []
    if let price {
      var table = ReportPage.Table(
        "Cost of output tokens.", ["", "Load"], numbers: ["Tokens/s", "$ per million output tokens"])
      serving.addCosts(to: &table, price)
      for tuning in tunings { tuning.addCosts(to: &table) }
      if !table.rows.isEmpty {
        let source = price.source.map { " (\($0))" } ?? ""
        blocks.append(
          .paragraph(
            "At \(FigureText.dollars(price.dollarsPerHour)) an hour\(price.instance.map { " for \($0)" } ?? "")\(source), if the machine does nothing else and is never idle."
          ))
        blocks.append(.table(table))
      }
    }
    blocks += tunings.flatMap(\.memory).map { .paragraph($0) }
    return blocks.isEmpty ? nil : ReportPage.Section(heading: "Cost and memory", blocks: blocks)
  }
}
