public import Tokenization

/// Says which tokens may come next, given those that came: structured output.
///
/// A value: a copy goes its own way, which is how a draft and a verification look ahead.
public protocol TokenConstraint: Sendable {
  /// The tokens that may come next, never empty; `nil` where any may.
  var mask: TokenMask? { get }
  /// Takes note of the next token of the answer.
  mutating func advance(by token: TokenID)
  /// The next tokens where the constraint leaves no choice: at most `maximum` of them, every one within the mask of its
  /// position. They are proposed without asking a draft.
  func forcedContinuation(maximum: Int) -> [TokenID]
}
