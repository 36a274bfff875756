public import Tokenization

/// Says which tokens may come next, given those that came: structured output.
///
/// A value: a copy goes its own way, which is how a draft and a verification look ahead.
public protocol TokenConstraint: Sendable {
  /// The tokens that may come next; never empty.
  var mask: TokenMask { get }
  /// Takes note of the next token of the answer.
  mutating func advance(by token: TokenID)
  /// A guess at the next tokens where the constraint leaves the text no choice: at most `maximum` of them, every one
  /// within the mask of its position. Another split of the same text into tokens may be allowed as well.
  func forcedContinuation(maximum: Int) -> [TokenID]
}
