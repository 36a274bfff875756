public import Decoding
public import PJRTTransformer
internal import Tokenization
internal import Transformer

/// Plain decoding whose tokens are chosen on the devices of a PJRT plugin: no logits go to the host.
public final class DeviceDecoder: FusedSpeculator {
  private let runner: PJRTModelRunner

  /// - Parameter runner: the target.
  public init(_ runner: PJRTModelRunner) { self.runner = runner }

  /// The next token of all of them, or of none.
  public func advance(_ requests: [(context: ProposalContext, blocks: [Int32])]) throws -> [FusedOutcome]? {
    var batch = Batch()
    var choices: [PJRTModelRunner.Choice] = []
    for (context, blocks) in requests {
      guard context.isDecidedByDevices(vocabularySize: runner.vocabularySize, samples: runner.samples),
        let token = context.tokens.last
      else { return nil }
      batch.append([token], at: context.tokens.count - 1, blocks: blocks, logitCount: 1)
      let parameters = context.sampler.parameters
      choices.append(
        PJRTModelRunner.Choice(
          temperature: parameters.temperature, seed: parameters.seed, outputPosition: context.outputPosition))
    }
    return try runner.tokens(after: batch, by: choices).map {
      FusedOutcome(proposal: Proposal(origin: .target), verified: [$0])
    }
  }
}

extension ProposalContext {
  /// Whether a device can choose this request's tokens: the largest logit, or a draw among all tokens.
  ///
  /// - Parameter samples: whether it can draw.
  func isDecidedByDevices(vocabularySize: Int, samples: Bool) -> Bool {
    constraint == nil && foreseenCount == 0
      && sampler.isUnrestricted(from: outputPosition, vocabularySize: vocabularySize)
      && (samples || sampler.parameters.temperature == 0)
  }
}
