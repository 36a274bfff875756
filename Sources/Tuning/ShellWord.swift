/// Words of a command line that is shown to be pasted.
package enum ShellWord {
  /// A word as a shell reads it back.
  package static func quoted(_ word: String) -> String {
    let isPlain =
      !word.isEmpty && word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_./:=,@%+".contains($0)) }
    return isPlain ? word : "'\(word.replacing("'", with: #"'\''"#))'"
  }
}
