internal import Decoding
internal import Foundation
internal import Report

/// Prints an answer as it comes; on a terminal, accepted draft tokens stand out from the target's own.
struct AnswerPrinter {
  private let style = TextStyle(for: .standardOutput)
  private let marksOrigin: Bool

  init(marksOrigin: Bool) { self.marksOrigin = marksOrigin }

  func print(_ token: GeneratedToken) {
    emit(marksOrigin && token.origin.isProposed ? style.green(token.text) : token.text)
  }

  /// What the colours mean; empty where there are none.
  var legend: String {
    marksOrigin && style.isEnabled ? "\(style.green("green")): proposed and accepted; plain: the target's own" : ""
  }
}
