package import Decoding
package import Transformer

/// Proposes what a head writes that goes on from the target's own residual streams.
///
/// It drafts as a draft model does, or a block in one pass, and sees every pass of the target for the streams. What it
/// computes of its own proposals is computed again from the target's streams where they are accepted.
package final class HeadProposer: DraftSource {
  package let origin: TokenOrigin
  private let head: any HeadRunner
  private let drafting: any DraftSource
  /// What it drafts by where the head goes token by token.
  package let stepwise: DraftModelProposer?
  /// Seconds that taking over streams has taken.
  private var takingSeconds = 0.0

  /// - Parameters:
  ///   - head: with as many blocks as the target.
  ///   - runner: the head, or what sees its passes.
  ///   - origin: as whose its proposals count.
  ///   - costs: what its passes cost; where they are known, proposals carry their probabilities.
  package init(
    _ head: any HeadRunner, runner: any ModelRunner, origin: TokenOrigin,
    sampling: DraftModelProposer.Sampling = .coupled, costs: PassCosts = PassCosts()
  ) {
    (self.head, self.origin) = (head, origin)
    if let slots = head.slots {
      drafting = BlockDrafter(
        head, runner: runner, slots: slots, vocabularySize: head.vocabularySize, sampling: sampling, costs: costs,
        origin: origin)
      stepwise = nil
    } else {
      let stepwise = DraftModelProposer(
        runner: runner, vocabularySize: head.vocabularySize, sampling: sampling, costs: costs, origin: origin,
        keepsDrafted: false)
      (drafting, self.stepwise) = (stepwise, stepwise)
    }
  }

  package var costs: PassCosts { drafting.costs }
  package var passes: DraftPasses { drafting.passes }
  /// Seconds that passes of the head have taken so far.
  package var passSeconds: Double { drafting.passSeconds + takingSeconds }
  /// The streams that the head was trained on.
  package var taps: [Int] { head.tappedLayers }

  /// Takes over the streams of all rows that stand.
  package func process(_ pass: TargetPass) throws {
    let started = ContinuousClock.now
    try head.take(
      pass.taps(head.tappedLayers),
      pass.shares.map {
        StreamShare(
          rows: $0.rows.prefix($0.kept), firstPosition: $0.firstPosition,
          blocks: $0.blocks)
      })
    takingSeconds += (ContinuousClock.now - started) / .seconds(1)
  }

  package func reset() { drafting.reset() }

  /// None: it has made what it needs of the target's streams, and what is foreseen it reads each time.
  package func lag(of context: ProposalContext) -> Int { max(0, drafting.lag(of: context) - repeated(of: context)) }

  /// What is foreseen has no stream yet: a head that drafts token by token goes through it on its own outputs.
  package func repeated(of context: ProposalContext) -> Int { head.slots == nil ? context.foreseenCount : 0 }

  /// What the head would write; nothing where the target has yet to compute what it would go on from.
  package func propose(
    for contexts: [ProposalContext], in pass: PassOutline,
    continuing continues: (_ index: Int, _ proposal: Proposal) -> Bool
  ) throws -> [Proposal] {
    var proposals = contexts.map { _ in Proposal(origin: origin) }
    let able = contexts.indices.filter {
      contexts[$0].computedCount >= contexts[$0].tokens.count - contexts[$0].foreseenCount - 1
    }
    let written = try drafting.propose(for: able.map { contexts[$0] }, in: pass) { continues(able[$0], $1) }
    for (index, proposal) in zip(able, written) { proposals[index] = proposal }
    return proposals
  }

  /// Forgets what was found of the request; its blocks are the target's to free.
  package func forget(_ request: RequestID) { drafting.forget(request) }
}
