internal import Tensor

/// What a user can say to the program instead of the model.
package enum ChatCommand: Equatable {
  case help, exit, clear, regenerate
  /// Of the last answer, or of every one from now on.
  case stats(Bool?)
  /// Shows the system message, or sets it; an empty one is none.
  case system(String?)
  case save(String), load(String)
  /// Shows who proposes, or sets it.
  case speculation(String?)

  /// Names, what follows them, and what they do, as `/help` lists them.
  package static let all: [(name: String, argument: String, help: String)] = [
    ("clear", "", "forget what was said, and keep the system message (also /new)"),
    ("regenerate", "", "answer the last message anew; with --temperature, in other words"),
    ("system", "TEXT", "tell the model how to answer from now on; alone: show it; \"\": none"),
    ("speculation", "METHOD", "who proposes: off, on or a method that is loaded; alone: show it"),
    ("stats", "on|off", "times and acceptance after every answer; alone: of the last one"),
    ("save", "FILE", "write the conversation as JSON, in the form of OpenAI's API"),
    ("load", "FILE", "go on with a conversation that was saved"),
    ("help", "", "this list"),
    ("exit", "", "leave (or Ctrl-D)"),
  ]

  /// Other names by which people know some of them.
  private static let aliases = ["new": "clear", "reset": "clear", "quit": "exit", "bye": "exit", "?": "help"]

  /// A command that there is not, or that lacks something.
  package struct Mistake: Error, Equatable, CustomStringConvertible {
    package let description: String
  }

  /// Reads a message that begins with a slash and a word; `nil` when it is none, but for the model.
  ///
  /// - Throws: `Mistake` that says what there is.
  package init?(_ message: String) throws(Mistake) {
    guard message.hasPrefix("/") else { return nil }
    let word = message.dropFirst().prefix { !$0.isWhitespace }
    // Paths and fractions are for the model.
    guard !word.isEmpty, word == "?" || word.allSatisfy(\.isLetter) else { return nil }
    let name = Self.aliases[word.lowercased()] ?? word.lowercased()
    let argument = Self.trimmed(message.dropFirst(1 + word.count))
    switch name {
    case "help": self = .help
    case "exit": self = .exit
    case "clear": self = .clear
    case "regenerate": self = .regenerate
    case "system": self = .system(argument.isEmpty ? nil : argument == "\"\"" ? "" : argument)
    case "speculation": self = .speculation(argument.isEmpty ? nil : argument)
    case "save", "load":
      guard !argument.isEmpty else { throw Mistake(description: "/\(name) needs the name of a file.") }
      self = name == "save" ? .save(argument) : .load(argument)
    case "stats":
      guard let isOn = ["": Bool?.none, "on": true, "off": false][argument] else {
        throw Mistake(description: "/stats takes on, off or nothing, and not '\(argument)'.")
      }
      self = .stats(isOn)
    default:
      let meant = Self.all.map(\.name).nearest(to: name).map { " Did you mean /\($0)?" } ?? ""
      throw Mistake(
        description:
          "There is no command /\(word).\(meant) /help lists those that there are; with a space before it, it is a message."
      )
    }
  }

  private static func trimmed(_ text: Substring) -> String {
    var text = text.drop(while: \.isWhitespace)
    while text.last?.isWhitespace == true { text = text.dropLast() }
    return String(text)
  }
}
