public import Decoding
public import Tensor
public import Tokenization

/// Accepts proposals at a given rate, whatever the target says: the text is worthless, its speed is not.
///
/// For measuring what a draft of a certain quality would be worth before there is one.
public struct SyntheticVerifier: Verifier {
  /// Share of proposals to accept, given that those before them were.
  public let acceptanceRate: Double

  /// A verifier that accepts `acceptanceRate` (0 to 1) of the proposals.
  public init(acceptanceRate: Double) { self.acceptanceRate = acceptanceRate }

  /// Accepts proposals by a draw that depends on the seed and the position alone; the target's own token follows.
  public func verify(
    _ proposal: Proposal, logits: Activations, firstRow: Int, sampler: Sampler, counts: TokenCounts, position: Int,
    constraint: (any TokenConstraint)? = nil
  ) -> [TokenID] {
    var (counts, constraint) = (counts, constraint)
    var tokens: [TokenID] = []
    for (index, guess) in proposal.tokens.enumerated() {
      guard sampler.uniform(position: position + index, purpose: .accept) < acceptanceRate else { break }
      tokens.append(guess)
      counts.append(guess)
      constraint?.advance(by: guess)
    }
    let (row, next) = (firstRow + tokens.count, constraint?.nextSoon() ?? .any)
    if next.isLate { return tokens }
    return tokens + [
      sampler.sample(logits, row: row, counts: counts, position: position + tokens.count, mask: next.mask)
    ]
  }
}
