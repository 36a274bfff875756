internal import ArgumentParser
internal import Tensor

/// A word where a subcommand is expected that names none.
///
/// The parser would complain of the word as an argument too many, or of the first flag after it.
struct Misspelling: CustomStringConvertible {
  /// One sentence: what there is not, and what was meant.
  let description: String

  /// `nil` when the words name subcommands as far as those go.
  init?(in arguments: [String], of root: any ParsableCommand.Type) {
    var (path, command) = (root._commandName, root)
    for word in arguments {
      let choices = command.configuration.subcommands
      guard !choices.isEmpty, !word.hasPrefix("-") else { return nil }
      // Of the words after it, only those that are subcommands matter.
      if word == "help", path == root._commandName { continue }
      guard let next = choices.first(where: { $0._commandName == word }) else {
        let names = choices.map { $0._commandName }
        let help = "'\(path) --help' lists the commands"
        let meant = (names + ["help"]).nearest(to: word).map { "did you mean '\(path) \($0)'? \(help)" }
        let isModel = meant == nil && path == root._commandName && word.contains("/")
        let model = isModel ? "to talk with a model: 'foretoken chat \(word)'; " : ""
        description = "there is no command '\(path) \(word)'; \(model)\(meant ?? help)"
        return
      }
      (path, command) = (path + " " + word, next)
    }
    return nil
  }
}
