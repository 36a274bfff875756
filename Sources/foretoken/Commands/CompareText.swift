internal import Benchmarking
internal import Foundation

/// A result of `foretoken compare` as a table, and the first difference of answers.
struct CompareText {
  private let result: ServingComparisonResult
  private let style = TextStyle(for: .standardOutput)

  init(_ result: ServingComparisonResult) { self.result = result }

  var rendered: String { [heading, table, outputs].joined(separator: "\n\n") + "\n" }

  private var heading: String {
    """
    A  \(result.a.header.baseURL), \(result.a.header.modelID)\(acceptance(result.a))
    B  \(result.b.header.baseURL), \(result.b.header.modelID)\(acceptance(result.b))
    """
  }

  private func acceptance(_ side: ServingResult) -> String {
    guard let found = side.total.speculation, let rate = found.acceptanceRate else { return "" }
    let length = found.acceptanceLength.map { String(format: ", length %.2f", $0) } ?? ""
    return String(format: "; acceptance %.1f %%", rate * 100) + length
  }

  private var table: String {
    var table = Table([
      ("category", .left), ("pairs", .right), ("A tok/s", .right), ("B tok/s", .right), ("speedup", .right),
      ("TPOT", .right), ("TTFT", .right), ("E2EL", .right), ("equal", .right),
    ])
    for category in result.categories + (result.categories.count > 1 ? [result.overall] : []) {
      table.append([
        category.name, "\(category.pairs)", throughput(result.a, category.name), throughput(result.b, category.name),
        Self.text(category.outputThroughput), Self.text(category.tpot), Self.text(category.ttft),
        Self.text(category.e2el), category.outputs.map { "\($0.equal)/\($0.compared)" } ?? "–",
      ])
    }
    return table.rendered(style: style) + "\n"
      + style.dim(
        String(
          format:
            "Above 1: A is better. In brackets, %g %% intervals from %d resamples of the pairs; none where there are too few.",
          result.confidence * 100, result.resamples))
  }

  private func throughput(_ side: ServingResult, _ category: String) -> String {
    let figures = side.categories.first { $0.name == category }?.figures ?? side.total
    return String(format: "%.1f", figures.outputThroughput)
  }

  private static func text(_ ratio: ServingComparisonResult.Ratio?) -> String {
    guard let ratio else { return "–" }
    guard let lower = ratio.lower, let upper = ratio.upper else { return String(format: "%.2fx", ratio.ratio) }
    return String(format: "%.2fx [%.2f, %.2f]", ratio.ratio, lower, upper)
  }

  private var outputs: String {
    guard let outputs = result.overall.outputs else {
      return style.dim("Answers are sampled (--temperature above 0), so they are not compared.")
    }
    guard let difference = outputs.firstDifference else {
      return outputs.compared == 0
        ? style.red("No answers to compare.") : style.green("All \(outputs.compared) pairs of answers are equal.")
    }
    return """
      \(style.red("\(outputs.compared - outputs.equal) of \(outputs.compared) pairs of answers differ.")) The first, in \
      \(difference.category), after \(difference.position) characters:
        prompt  \(Self.quoted(difference.prompt))
        A       \(Self.quoted(difference.a))
        B       \(Self.quoted(difference.b))
      """
  }

  private static func quoted(_ text: String) -> String {
    text.count > 160 ? text.prefix(160).debugDescription + "…" : text.debugDescription
  }
}
