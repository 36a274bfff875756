public import Tensor
public import Tokenization

/// Decides how many proposals stand, from the target's logits. A pure function.
///
/// Terms: proposals that stand are *accepted*; the target's own token after them is the *recovered* token when a
/// proposal was rejected, and the *bonus* token when all stood.
public protocol Verifier: Sendable {
  /// Whether a proposal stands exactly when it is the target's own token, so that tokens are all that it takes to verify:
  /// they can be chosen where the logits are.
  var comparesTokens: Bool { get }
  /// The tokens that the sequence goes on with: the accepted proposals and one token of the target's.
  ///
  /// Where the constraint is late to say what may come, the tokens before it: none when that is the first.
  ///
  /// - Parameters:
  ///   - proposal: guessed tokens for the output positions from `position` on; may be empty.
  ///   - logits: row `firstRow + i` is the target's for output position `position + i`, `i` in 0...proposal.tokens.count.
  ///   - counts: the tokens before `position`.
  ///   - constraint: what the sequence must keep to, as it stands before `position`.
  func verify(
    _ proposal: Proposal, logits: Activations, firstRow: Int, sampler: Sampler, counts: TokenCounts, position: Int,
    constraint: (any TokenConstraint)?
  ) -> [TokenID]
}

extension Verifier {
  /// No: a verifier may need the target's distribution.
  public var comparesTokens: Bool { false }
}
