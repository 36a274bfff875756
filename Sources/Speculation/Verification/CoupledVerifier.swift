public import Decoding
public import Tensor
public import Tokenization

/// Accepts a proposal exactly when it is the token that the target samples at that position itself.
///
/// The sampler's noise depends on (seed, output position, token) alone, so the text is the one that plain decoding
/// would have written, token for token, at any temperature; a proposer that samples with the same noise is right
/// more often than one that draws on its own.
///
/// Source: Daliri, Musco, Suresh, "Coupling without communication and drafter-invariant speculative decoding" (2024).
public struct CoupledVerifier: Verifier {
  /// A verifier; it has no settings.
  public init() {}

  /// Proposals are compared with the target's own draws.
  public var comparesTokens: Bool { true }

  /// Samples position by position until the target disagrees with a proposal.
  public func verify(
    _ proposal: Proposal, logits: Activations, firstRow: Int, sampler: Sampler, counts: TokenCounts, position: Int,
    constraint: (any TokenConstraint)? = nil
  ) -> [TokenID] {
    var (counts, constraint) = (counts, constraint)
    var tokens: [TokenID] = []
    for index in 0...proposal.tokens.count {
      let next = constraint?.nextSoon() ?? .any
      if next.isLate { break }
      let token = sampler.sample(
        logits, row: firstRow + index, counts: counts, position: position + index, mask: next.mask)
      tokens.append(token)
      guard index < proposal.tokens.count, token == proposal.tokens[index] else { break }
      counts.append(token)
      constraint?.advance(by: token)
    }
    return tokens
  }
}
