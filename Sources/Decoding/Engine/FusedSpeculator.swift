public import Tokenization

/// Proposes, verifies and chooses in one go, on a device that needs no host for it; or only chooses.
///
/// It decides as the proposer and the verifier beside it would, for the requests that it knows how to decide; all others
/// go their way.
public protocol FusedSpeculator: AnyObject {
  /// The tokens that texts go on with; `nil` when one of them needs more than this can do.
  ///
  /// - Parameter requests: texts of which the last token is the only one that the target has not computed, with the
  ///   target's KV blocks, which reach to the end of the window. Windows may be 0.
  func advance(_ requests: [(context: ProposalContext, blocks: [Int32])]) throws -> [FusedOutcome]?
}

/// What one request's proposals came to.
public struct FusedOutcome: Sendable, Equatable {
  /// What was proposed.
  public let proposal: Proposal
  /// The accepted proposals and one token of the target's.
  public let verified: [TokenID]

  /// An outcome.
  public init(proposal: Proposal, verified: [TokenID]) {
    (self.proposal, self.verified) = (proposal, verified)
  }
}
