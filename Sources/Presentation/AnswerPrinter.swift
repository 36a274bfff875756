package import Decoding
internal import Foundation

/// Prints an answer as it comes; on a terminal, accepted tokens stand out by who proposed them from the target's own.
package struct AnswerPrinter {
  private let style = TextStyle(for: .standardOutput)
  private let marksOrigin: Bool

  package init(marksOrigin: Bool) { self.marksOrigin = marksOrigin }

  package func print(_ token: GeneratedToken) {
    emit(marksOrigin ? painted(token.text, token.origin) : token.text)
  }

  private func painted(_ text: String, _ origin: TokenOrigin) -> String {
    switch origin {
    case .target: text
    case .draftModel: style.green(text)
    case .eagle3, .dflash, .mtp: style.blue(text)
    case .ngram, .suffix: style.yellow(text)
    case .grammar: style.cyan(text)
    }
  }

  /// What the colours mean; empty where there are none.
  package var legend: String {
    guard marksOrigin, style.isEnabled else { return "" }
    return """
      Proposed and accepted: \(style.green("by the draft")), \(style.blue("by a head")), \
      \(style.yellow("from the text so far")), \(style.cyan("by the form of the answer")); plain: the target's own
      """
  }
}
