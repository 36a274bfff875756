internal import ArgumentParser
internal import Foundation
internal import Presentation
internal import Report

/// `foretoken report`: results as a page for people.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write results as one HTML page, or as Markdown.",
    discussion: """
      Takes the JSON files that bench serve, compare, tune and bench forward write, in any mixture. The page needs \
      nothing but itself: charts are inline, nothing is loaded from elsewhere.

        foretoken report comparison.json tuning.json --output report.html --markdown report.md
      """)

  @Argument(help: "Files of results.", completion: .file(extensions: ["json"]))
  var results: [String]

  @Option(name: .shortAndLong, help: "The HTML file; - for standard output.", completion: .file(extensions: ["html"]))
  var output: String?

  @Option(help: "The Markdown file; - for standard output.", completion: .file(extensions: ["md"]))
  var markdown: String?

  @Option(help: "A title (default: one that fits the results).")
  var title: String?

  @OptionGroup(title: "Cost") var price: PriceOptions

  func validate() throws {
    guard output != nil || markdown != nil else {
      throw ValidationError("Say where the report goes: --output FILE.html, --markdown FILE.md, or both.")
    }
    guard output != "-" || markdown != "-" else {
      throw ValidationError("Only one of --output and --markdown can go to standard output.")
    }
  }

  func run() throws {
    var input = ReportInput()
    for name in results {
      try input.add(InputFile.read(name), name: name)
    }
    input.price = try price.price()
    let report = Report(input, title: title)
    if let output { try write(try report.html(), to: output) }
    if let markdown { try write(try report.markdown(), to: markdown) }
  }

  private func write(_ text: String, to name: String) throws {
    guard name != "-" else { return emit(text) }
    try OutputFile.write(Data(text.utf8), to: name)
  }
}
