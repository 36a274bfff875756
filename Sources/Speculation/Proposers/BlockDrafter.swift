internal import Decoding
internal import Tensor
internal import Tokenization
internal import Transformer

/// Proposes all tokens of a window in one pass of a head that has slots for them.
///
/// What the head has computed of known tokens it made of the target's streams, so there is nothing to read first. Tokens
/// that a constraint foresees take the places of masks.
final class BlockDrafter: DraftSource {
  let origin: TokenOrigin
  private let head: any HeadRunner
  private let runner: any ModelRunner
  private let slots: ProposalSlots
  private let vocabularySize: Int
  private let sampling: DraftModelProposer.Sampling
  /// What passes cost, at the pace at which those of the target were measured.
  private(set) var costs: PassCosts
  private(set) var passSeconds = 0.0

  /// - Parameters:
  ///   - head: whose proposals these are.
  ///   - runner: the head, or what sees its passes.
  ///   - origin: as whose its proposals count.
  init(
    _ head: any HeadRunner, runner: any ModelRunner, slots: ProposalSlots, vocabularySize: Int,
    sampling: DraftModelProposer.Sampling, costs: PassCosts, origin: TokenOrigin
  ) {
    (self.head, self.runner, self.slots, self.vocabularySize) = (head, runner, slots, vocabularySize)
    (self.sampling, self.costs, self.origin) = (sampling, costs, origin)
  }

  var passes: DraftPasses { .eachBlock(most: slots.most) }

  /// None: it reads nothing.
  func lag(of context: ProposalContext) -> Int { 0 }

  /// Nothing is kept for a request.
  func forget(_ request: RequestID) {}

  /// As many tokens as each window holds, or as a block does; nothing for a request that is too long for the head.
  func propose(
    for contexts: [ProposalContext], in pass: PassOutline,
    continuing continues: (_ index: Int, _ proposal: Proposal) -> Bool
  ) throws -> [Proposal] {
    var proposals = contexts.map { _ in Proposal(origin: origin) }
    var first = 0
    while first < contexts.count {
      // What a pass can hold bounds how many requests it can serve.
      var (batch, drafts): (Batch, [(draft: Draft, rows: Range<Int>)]) = (Batch(), [])
      while first < contexts.count, let place = self.place(contexts[first], in: batch) {
        if let place {
          let rows = batch.append(
            place.tokens, at: place.position, blocks: contexts[first].blocks, logitCount: place.logitCount)
          drafts.append(
            (Draft(contexts[first], index: first, computed: place.position, proposal: proposals[first]), rows))
        }
        first += 1
      }
      guard !drafts.isEmpty else { continue }
      for draft in try write(drafts, batch, pace: pass.costs.drift) { proposals[draft.index] = draft.proposal }
    }
    return proposals
  }

  /// A request's part of a pass.
  private struct Place {
    let tokens: [TokenID]
    let position, logitCount: Int
  }

  /// The rows that the request is to have in the pass.
  ///
  /// - Returns: `.some(nil)` for a request that gets none, `nil` where the pass has no room left.
  private func place(_ context: ProposalContext, in batch: Batch) -> Place?? {
    let foreseen = context.foreseenCount
    let position = context.tokens.count - foreseen - 1
    let room = min(runner.capacity.positions, context.blocks.count * runner.capacity.blockSize) - position
    // Rows of masks after known ones, and proposals that they and the last known one give.
    let count = min(context.window, slots.most - foreseen, runner.capacity.logitRows)
    guard count > 0 else { return .some(nil) }
    let tokens =
      context.tokens.suffix(foreseen + 1) + Array(repeating: slots.maskToken, count: slots.masks(proposing: count))
    guard position >= 0, tokens.count <= min(room, runner.capacity.rows),
      tokens.allSatisfy({ $0 < runner.vocabularySize }),
      context.blocks.allSatisfy({ $0 < runner.capacity.blockCount })
    else { return .some(nil) }
    guard batch.rowCount + tokens.count <= runner.capacity.rows,
      batch.logitRows.count + count <= runner.capacity.logitRows
    else { return nil }
    return Place(tokens: Array(tokens), position: position, logitCount: count)
  }

  /// Runs a pass and chooses the tokens of its drafts, one of each after the other, as a token may correct what comes after.
  private func write(
    _ drafts: [(draft: Draft, rows: Range<Int>)], _ batch: Batch, pace: Double
  ) throws -> [Draft] {
    let timer = PassTimer()
    let logits = try runner.logits(of: batch)
    var seconds = timer.seconds
    let wasHeldUp = timer.wasHeldUp
    let choice = Draft.Choice(sampling: sampling, vocabularySize: vocabularySize, isConfident: costs.isKnown)
    var written = drafts.map(\.draft)
    for step in 0..<(drafts.map(\.rows.count).max() ?? 0) {
      let open = drafts.indices.filter { step < drafts[$0].rows.count && !written[$0].isComplete }
      let proposals = open.compactMap { index in
        (written[index].proposal.tokens.last ?? written[index].context.tokens.last).map {
          UncorrectedProposal(row: drafts[index].rows.lowerBound + step, previous: $0)
        }
      }
      let confidences = try correct(proposals, &seconds)
      for (index, (proposal, confidence)) in zip(open, zip(proposals, confidences)) {
        written[index].choose(logits, row: proposal.row, choice, confidence: confidence)
      }
    }
    passSeconds += seconds
    costs.observe(rows: batch.rowCount, seconds: seconds / pace, wasHeldUp: wasHeldUp)
    return written
  }

  /// Lets the tokens before proposals count, where they do.
  ///
  /// - Returns: how likely each is to be accepted, where the head says so.
  private func correct(_ proposals: [UncorrectedProposal], _ seconds: inout Double) throws -> [Double?] {
    guard head.correctsProposals else { return proposals.map { _ in nil } }
    let timer = PassTimer()
    defer { seconds += timer.seconds }
    return try head.correct(proposals)
  }
}
