public import Decoding
public import Tensor
public import Tokenization

/// Accepts a proposal with the probability that the target gives it over the one it was drawn with.
///
/// The text follows the target's distribution exactly, but not the text that plain decoding would have drawn: which
/// random numbers decide depends on what was proposed. Greedy requests are the same either way.
///
/// Source: Leviathan, Kalman, Matias, "Fast inference from transformers via speculative decoding" (2023).
public struct RejectionVerifier: Verifier {
  /// A verifier; it has no settings.
  public init() {}

  /// Accepts position by position; at the first rejection draws from what the target has in excess of the draft.
  ///
  /// A proposal without distributions was certain of its tokens, as prompt lookup is.
  public func verify(
    _ proposal: Proposal, logits: Activations, firstRow: Int, sampler: Sampler, counts: TokenCounts, position: Int,
    constraint: (any TokenConstraint)? = nil
  ) -> [TokenID] {
    var (counts, constraint) = (counts, constraint)
    var tokens: [TokenID] = []
    for (index, guess) in proposal.tokens.enumerated() {
      let next = constraint?.nextSoon() ?? .any
      if next.isLate { return tokens }
      let target = sampler.distribution(
        logits, row: firstRow + index, counts: counts, position: position + index, mask: next.mask)
      let drawn = index - proposal.forcedCount
      let draft =
        proposal.distributions.indices.contains(drawn)
        ? proposal.distributions[drawn] : TokenDistribution(tokens: [guess], weights: [1])
      let ratio = target.probability(of: guess) / draft.probability(of: guess)
      let place = position + index
      guard sampler.uniform(position: place, purpose: .accept) < ratio else {
        return tokens + [target.excess(over: draft).token(at: sampler.uniform(position: place, purpose: .recover))]
      }
      tokens.append(guess)
      counts.append(guess)
      constraint?.advance(by: guess)
    }
    let (last, next) = (proposal.tokens.count, constraint?.nextSoon() ?? .any)
    if next.isLate { return tokens }
    return tokens + [
      sampler.sample(logits, row: firstRow + last, counts: counts, position: position + last, mask: next.mask)
    ]
  }
}
