public import Tokenization

/// Keeps an answer to some tokens (`allowed_token_ids`) and away from some sequences of tokens (`bad_words`), beside
/// another constraint or alone.
///
/// Where the other constraint leaves nothing else, it comes first: an answer has to go on.
public struct TokenRestriction: TokenConstraint {
  /// What may be chosen at all.
  private let allowed: TokenMask
  private let sequences: [[TokenID]]
  private var inner: (any TokenConstraint)?
  /// The answer's last tokens, as many as a sequence needs before its last.
  private var tail: [TokenID] = []

  /// - Parameters:
  ///   - allowed: the only tokens to choose from; `nil` for all.
  ///   - sequences: tokens that do not follow each other; none is empty. Of a sequence of one, the token never comes.
  ///   - vocabularySize: number of token ids.
  ///   - inner: what else the answer keeps to.
  public init(
    allowed: [TokenID]?, sequences: [[TokenID]], vocabularySize: Int, beside inner: (any TokenConstraint)? = nil
  ) {
    var mask = allowed == nil ? TokenMask(allBelow: vocabularySize) : TokenMask(vocabularySize: vocabularySize)
    for token in allowed ?? [] { mask.insert(token) }
    self.allowed = mask.subtracting(Set(sequences.filter { $0.count == 1 }.map { $0[0] }))
    self.sequences = sequences.filter { $0.count > 1 }
    self.inner = inner
  }

  /// The tokens that may come next.
  public mutating func next(within work: inout ConstraintWork) -> NextTokens {
    let others = inner?.next(within: &work) ?? .any
    if case .late = others { return .late }
    let ending = sequences.filter { tail.suffix($0.count - 1).elementsEqual($0.dropLast()) }.compactMap(\.last)
    let own = ending.isEmpty ? allowed : allowed.subtracting(Set(ending))
    guard case .only(let other) = others else { return own.isEmpty ? .any : .only(own) }
    let both = own.intersection(other)
    return .only(both.isEmpty ? other : both)
  }

  /// Takes note of the answer's next token.
  public mutating func advance(by token: TokenID) {
    inner?.advance(by: token)
    tail.append(token)
    tail.removeFirst(max(0, tail.count - (sequences.map(\.count).max() ?? 1) + 1))
  }

  /// What the other constraint foresees, as far as it may be chosen.
  public mutating func forcedContinuation(maximum: Int, within work: inout ConstraintWork) -> [TokenID] {
    let foreseen = inner?.forcedContinuation(maximum: maximum, within: &work) ?? []
    var ahead = self
    var tokens: [TokenID] = []
    for token in foreseen {
      let next = ahead.next(within: &work)
      guard !next.isLate, next.mask?.contains(token) ?? true else { break }
      tokens.append(token)
      ahead.advance(by: token)
    }
    return tokens
  }
}
