public import Tokenization

/// What is wanted of a prompt by a request that generates nothing: one vector for all of its positions.
public enum Pooling: Sendable, Equatable {
  /// The last hidden state, after the last norm, at the last token; `hidden` numbers.
  case lastToken
  /// The mean of the last hidden states at all tokens; `hidden` numbers.
  case mean
  /// The logits of these tokens as the next one; as many numbers.
  case logits([TokenID])

  /// Whether logits are computed.
  var wantsLogits: Bool { if case .logits = self { true } else { false } }

  /// Whether every position has its part in it, so that none may come from the prefix cache.
  var readsAllPositions: Bool { self == .mean }

  /// Which of the rows of a share its last hidden states are wanted of.
  ///
  /// - Parameters:
  ///   - rows: the share's.
  ///   - reachesEnd: whether the last one is the prompt's last token.
  func hiddenRows(of rows: Range<Int>, reachesEnd: Bool) -> Range<Int> {
    switch self {
    case .lastToken: reachesEnd ? rows.upperBound - 1..<rows.upperBound : rows.lowerBound..<rows.lowerBound
    case .mean: rows
    case .logits: rows.lowerBound..<rows.lowerBound
    }
  }
}
