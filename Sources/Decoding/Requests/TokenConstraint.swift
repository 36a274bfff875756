public import Tokenization

/// Says which tokens may come next, given those that came: structured output.
///
/// A value: a copy goes its own way, which is how a draft and a verification look ahead.
public protocol TokenConstraint: Sendable {
  /// The tokens that may come next; `late` when finding them takes more than `work`. What was found is kept.
  mutating func next(within work: inout ConstraintWork) -> NextTokens
  /// Takes note of the next token of the answer.
  mutating func advance(by token: TokenID)
  /// The next tokens where the constraint leaves no choice: at most `maximum` of them, every one within the mask of its
  /// position, and no more than `work` finds. They are proposed without asking a draft.
  mutating func forcedContinuation(maximum: Int, within work: inout ConstraintWork) -> [TokenID]
}

/// The tokens that may come next.
public enum NextTokens: Sendable {
  /// All of them.
  case any
  /// Those of a mask that is not empty.
  case only(TokenMask)
  /// Finding them takes longer than others should wait for.
  case late

  /// The mask; `nil` where any token may come, or it is not known.
  public var mask: TokenMask? {
    if case .only(let mask) = self { mask } else { nil }
  }

  /// Whether it is not known what may come.
  public var isLate: Bool {
    if case .late = self { true } else { false }
  }
}

/// What may be spent on finding out what a constraint allows.
public struct ConstraintWork: Sendable {
  /// Steps left, of some 100 ns each.
  public var steps: Int
  /// Whether to wait while another thread works on the same grammar.
  public let waits: Bool

  /// Work of so many steps.
  public init(steps: Int, waits: Bool) {
    self.steps = steps
    self.waits = waits
  }

  /// What the engine's thread spends on one sequence: others wait meanwhile.
  public static let brief = ConstraintWork(steps: 4_000, waits: false)
  /// As much as it takes.
  public static let unbounded = ConstraintWork(steps: .max, waits: true)

  /// Takes `count` steps; whether they were there.
  public mutating func take(_ count: Int) -> Bool {
    steps -= min(steps, count)
    return steps > 0
  }
}

extension TokenConstraint {
  /// The tokens that may come next, if they are found soon.
  public mutating func nextSoon() -> NextTokens {
    var work = ConstraintWork.brief
    return next(within: &work)
  }

  /// The tokens that may come next, however long it takes to find them; `nil` where any may.
  public var mask: TokenMask? {
    var (ahead, work) = (self, ConstraintWork.unbounded)
    return ahead.next(within: &work).mask
  }

  /// The next tokens where there is no choice, however long it takes to find them.
  public func forcedContinuation(maximum: Int) -> [TokenID] {
    var (ahead, work) = (self, ConstraintWork.unbounded)
    return ahead.forcedContinuation(maximum: maximum, within: &work)
  }
}
