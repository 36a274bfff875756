public import Tokenization

/// Guesses how texts go on. The guesses cost time when wrong and never change the output.
///
/// A proposer is used from the engine's thread only.
public protocol Proposer: AnyObject {
  /// At most `context.window` tokens for each context, in the same order; an empty list where it has no guess.
  func propose(for contexts: [ProposalContext]) throws -> [[TokenID]]
  /// Frees what it keeps for a request that has ended.
  func forget(_ request: RequestID)
}

/// What a proposer may know about a request.
public struct ProposalContext: Sendable {
  /// Whose text.
  public let request: RequestID
  /// Prompt and output so far.
  public let tokens: [TokenID]
  /// How many of `tokens` are the prompt's.
  public let promptCount: Int
  /// Most tokens to propose; at least 1.
  public let window: Int
  /// How the target will choose: a proposer that samples the same way guesses the target's own draw.
  public let sampler: Sampler
  /// What penalties depend on.
  public let counts: TokenCounts
  /// What the text must keep to: proposals outside it would be wrong.
  public let constraint: (any TokenConstraint)?

  /// Output position of the first proposal.
  public var outputPosition: Int { tokens.count - promptCount }

  /// A context for one request.
  public init(
    request: RequestID, tokens: [TokenID], promptCount: Int, window: Int, sampler: Sampler, counts: TokenCounts,
    constraint: (any TokenConstraint)? = nil
  ) {
    self.request = request
    self.tokens = tokens
    self.promptCount = promptCount
    self.window = window
    self.sampler = sampler
    self.counts = counts
    self.constraint = constraint
  }
}

/// Plain decoding: the proposer that proposes nothing.
public final class NoProposer: Proposer {
  /// A proposer without state.
  public init() {}
  /// An empty list for each context.
  public func propose(for contexts: [ProposalContext]) -> [[TokenID]] { contexts.map { _ in [] } }
  /// Does nothing.
  public func forget(_ request: RequestID) {}
}
