public import Decoding
public import PJRTTransformer
internal import Speculation
internal import Tokenization

/// A draft model and the target as one program of a device.
///
/// The proposer keeps the draft's KV cache in order, so that a request can go from here to it and back.
public final class FusedDraftModel: FusedSpeculator {
  private let speculator: PJRTSpeculator
  private let proposer: DraftModelProposer
  private let vocabularySize: Int

  /// - Parameters:
  ///   - speculator: the program.
  ///   - proposer: a proposer around the draft that the program has.
  ///   - vocabularySize: number of the target's token ids.
  public init(_ speculator: PJRTSpeculator, proposer: DraftModelProposer, vocabularySize: Int) {
    (self.speculator, self.proposer, self.vocabularySize) = (speculator, proposer, vocabularySize)
  }

  /// Speculates for all of them or none.
  public func advance(_ requests: [(context: ProposalContext, blocks: [Int32])]) throws -> [FusedOutcome]? {
    guard requests.contains(where: { $0.context.window > 0 }),
      requests.allSatisfy({
        $0.context.isDecidedByDevices(vocabularySize: vocabularySize, samples: speculator.samples)
      })
    else { return nil }
    var lanes: [SpeculationLane] = []
    for (context, blocks) in requests {
      guard let token = context.tokens.last else { return nil }
      lanes.append(
        SpeculationLane(
          token: token, position: context.tokens.count - 1, window: context.window, targetBlocks: blocks,
          draftBlocks: try proposer.readAllButLast(context), temperature: context.sampler.parameters.temperature,
          seed: context.sampler.parameters.seed, outputPosition: context.outputPosition))
    }
    let outcomes = try speculator.run(lanes)
    return zip(requests, outcomes).map { request, outcome in
      let accepted = zip(outcome.drafted, outcome.chosen).prefix { $0 == $1 }.count
      if !outcome.drafted.isEmpty {
        proposer.note(Array(outcome.drafted.prefix(accepted)), computedFor: request.context)
      }
      return FusedOutcome(
        proposal: Proposal(tokens: outcome.drafted, origin: .draftModel),
        verified: Array(outcome.chosen.prefix(accepted + 1)))
    }
  }
}
