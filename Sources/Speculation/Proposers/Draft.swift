internal import Decoding
internal import Tensor
internal import Tokenization

/// A draft that is being written for one request.
struct Draft {
  /// How its tokens are chosen.
  struct Choice {
    let sampling: DraftModelProposer.Sampling
    /// Token ids that the target has; the draft's vocabulary may be padded further.
    let vocabularySize: Int
    /// Whether proposals carry their probabilities.
    let isConfident: Bool
  }

  let context: ProposalContext
  /// Its place among those that are asked for.
  let index: Int
  /// Positions whose keys and values are there.
  var computed: Int
  private(set) var proposal: Proposal
  private(set) var isComplete = false
  private var counts: TokenCounts
  private var constraint: (any TokenConstraint)?

  init(_ context: ProposalContext, index: Int, computed: Int, proposal: Proposal) {
    (self.context, self.index, self.computed, self.proposal) = (context, index, computed, proposal)
    (counts, constraint) = (context.counts, context.constraint)
  }

  /// Adds the next token, or completes the draft where there is none to add.
  ///
  /// - Parameter confidence: how likely it is to be accepted, where that is known otherwise than by its probability.
  mutating func choose(_ logits: Activations, row: Int, _ choice: Choice, confidence: Double? = nil) {
    let position = context.outputPosition + proposal.tokens.count
    let sampler = context.sampler
    let next = constraint?.nextSoon() ?? .any
    guard !next.isLate else {
      isComplete = true
      return
    }
    let token: TokenID
    switch choice.sampling {
    case .coupled:
      token = sampler.sample(logits, row: row, counts: counts, position: position, mask: next.mask)
    case .independent:
      let distribution = sampler.distribution(logits, row: row, counts: counts, position: position, mask: next.mask)
      token = distribution.token(at: sampler.uniform(position: position, purpose: .draft))
      proposal.distributions.append(distribution)
    }
    guard token < choice.vocabularySize, logits.withRow(row, { $0[Int(token)] > -.infinity }) else {
      // A padding id of the draft's own, or none of its tokens is allowed: nothing that the target could confirm.
      proposal.distributions.removeLast(choice.sampling == .independent ? 1 : 0)
      isComplete = true
      return
    }
    proposal.tokens.append(token)
    if choice.isConfident {
      let temperature = Float(max(sampler.parameters.temperature, 1))
      proposal.confidences.append(
        confidence ?? Double(logits.probability(of: Int(token), row: row, temperature: temperature)))
    }
    counts.append(token)
    constraint?.advance(by: token)
    isComplete = proposal.tokens.count >= context.window
  }
}
