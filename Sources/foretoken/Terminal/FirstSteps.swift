internal import ArgumentParser
internal import Decoding
internal import Foundation
internal import Presentation

/// What the program says when it is started without a subcommand.
enum FirstSteps {
  private static let steps = [
    ("foretoken demo", "see speculation at work on the pair of models in Models/"),
    ("foretoken doctor", "what this machine can run, and how fast"),
    ("foretoken pull Qwen/Qwen3-0.6B", "download a model (1.5 GB)"),
    ("foretoken chat Qwen/Qwen3-0.6B", "talk with it"),
    ("foretoken serve Qwen/Qwen3-0.6B", "serve it, with OpenAI's API and a page at http://127.0.0.1:8000"),
  ]

  static var text: String {
    let style = TextStyle(for: .standardOutput)
    let groups = Foretoken.configuration.groupedSubcommands.map { group in
      (group.name, group.subcommands.map { $0._commandName }.joined(separator: ", "))
    }
    func table(_ rows: [(String, String)], _ paint: (String) -> String) -> String {
      let width = rows.map(\.0.count).max() ?? 0
      return rows.map { name, text in
        "  " + paint(name) + String(repeating: " ", count: width - name.count + 2) + text + "\n"
      }.joined()
    }
    return """
      \(style.bold("Foretoken \(Engine.version)")): \(Foretoken.configuration.abstract)

      The first five minutes:
      \(table(steps, style.bold))
      All commands:
      \(table(groups, { $0 }))
      'foretoken COMMAND --help' explains one; docs/command-line.md explains them all.

      """
  }
}
