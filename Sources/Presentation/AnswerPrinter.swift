package import Decoding
internal import Foundation

/// Prints an answer as it comes; on a terminal, accepted draft tokens stand out from the target's own.
package struct AnswerPrinter {
  private let style = TextStyle(for: .standardOutput)
  private let marksOrigin: Bool

  package init(marksOrigin: Bool) { self.marksOrigin = marksOrigin }

  package func print(_ token: GeneratedToken) {
    emit(marksOrigin && token.origin.isProposed ? style.green(token.text) : token.text)
  }

  /// What the colours mean; empty where there are none.
  package var legend: String {
    marksOrigin && style.isEnabled ? "\(style.green("green")): proposed and accepted; plain: the target's own" : ""
  }
}
