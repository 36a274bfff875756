import Decoding
import ModelFiles
import Speculation
import Tensor
import TestSupport
import Testing
import Transformer

/// The promise with heads that nobody trained, on requests whose answers have few tokens to choose from: there even such
/// heads are often right.
@Suite struct NarrowLosslessTests {
  /// Requests that lean to three tokens.
  static func requests(tokens: Int = 48) -> [GenerationRequest] {
    LosslessTests.requests(vocabularySize: 193, tokens: tokens).map { request in
      var request = request
      request.sampling.logitBias = [11: 60, 57: 60, 130: 60]
      (request.sampling.repetitionPenalty, request.sampling.frequencyPenalty) = (1, 0)
      request.sampling.presencePenalty = 0
      return request
    }
  }

  @Test(
    "accepted proposals, rejected ones and parts of them leave the text as it is",
    arguments: [Quantization.none, .int8, .int4], [KVCacheFormat.float16, .int8])
  func narrow(quantization: Quantization, cacheFormat: KVCacheFormat) throws {
    let pair = try LosslessTests.Pair.random()
    let requests = Self.requests()
    let plain = try pair.loop(quantization, proposer: .none, cacheFormat: cacheFormat).outcomes(of: requests).outcomes
    let kinds = [1, 2, 4, 8].map { LosslessTests.ProposerKind.block(window: $0) } + [1, 3, 6].map { .mtp(window: $0) }
    for kind in kinds {
      for (rows, sequences) in [(64, 1), (13, 3), (40, 6)] {
        let loop = try pair.loop(
          quantization, proposer: kind, rows: rows, sequences: sequences, cacheFormat: cacheFormat)
        let (outcomes, counts) = try loop.outcomes(of: requests)
        #expect(outcomes == plain, "\(kind), \(sequences) sequences")
        #expect(counts.acceptedTokens > 20 && counts.acceptanceRate ?? 1 < 0.9, "tests only one of the two")
      }
    }
    let loop = try pair.loop(
      quantization, proposer: .automaticBlock(window: 8), sequences: 3, cacheFormat: cacheFormat)
    let (outcomes, counts) = try loop.outcomes(of: requests, stagger: 2)
    #expect(outcomes == plain)
    #expect(counts.acceptedTokens > 0)
  }

  @Test(
    "preemption and prefix hits are invisible",
    arguments: [LosslessTests.ProposerKind.block(window: 5), .mtp(window: 4)])
  func memory(kind: LosslessTests.ProposerKind) throws {
    let pair = try LosslessTests.Pair.random()
    let requests = Self.requests(tokens: 180)
    let plain = try requests.map { try pair.loop(.none, proposer: .none).outcome(of: $0) }
    let tight = try pair.loop(.none, proposer: kind, rows: 40, sequences: 6, blocksFor: 2)
    let (outcomes, counts) = try tight.outcomes(of: requests)
    #expect(outcomes == plain)
    #expect(counts.acceptedTokens > 0)
    // The second round finds the first one's prompts and answers.
    let sharing = try pair.loop(.none, proposer: kind, sequences: 3, sharesPrefixes: true)
    for round in 0..<2 {
      var longer = requests
      if round == 1 {
        for index in longer.indices {
          longer[index].prompt += plain[index].tokens
          longer[index].stopping.maximumTokens = 30
        }
      }
      let alone = try longer.map { try pair.loop(.none, proposer: .none).outcome(of: $0) }
      #expect(try sharing.outcomes(of: longer, stagger: 1).outcomes == alone, "round \(round)")
    }
    #expect(sharing.statistics.prefixHits > 100)
  }

  @Test(
    "verification by rejection gets the distribution of each proposal, and greedy text stays",
    arguments: [LosslessTests.ProposerKind.block(window: 4), .mtp(window: 4)])
  func rejection(kind: LosslessTests.ProposerKind) throws {
    let pair = try LosslessTests.Pair.random()
    var requests = Self.requests()
    for index in requests.indices { requests[index].sampling.temperature = index % 2 == 0 ? 0 : 0.8 }
    let plain = try requests.map { try pair.loop(.none, proposer: .none).outcome(of: $0) }
    let loop = try pair.loop(.none, proposer: kind, sequences: 2, sampling: .independent)
    let (outcomes, counts) = try loop.outcomes(of: requests)
    for index in requests.indices where index % 2 == 0 { #expect(outcomes[index].tokens == plain[index].tokens) }
    #expect(counts.acceptedTokens > 0)
    #expect(outcomes.allSatisfy { $0.tokens.allSatisfy { [11, 57, 130].contains($0) } })
  }
}
