import Decoding
import ModelFiles
import Speculation
import Tensor
import TestSupport
import Testing
import Transformer

/// The promise with mixtures of experts: which experts a row's neighbours go through must not change its bits.
@Suite struct ExpertLosslessTests {
  @Test(
    "proposers, threads, chunks, batch mates and instruction sets do not change a token",
    arguments: [Quantization.none, .int8, .int4])
  func executionDoesNotMatter(quantization: Quantization) throws {
    let pair = try LosslessTests.Pair.random(experts: 6)
    let requests = LosslessTests.requests(vocabularySize: 193, tokens: 32)
    let plain = try requests.map { try pair.loop(quantization, proposer: .none, threads: 1).outcome(of: $0) }
    let kinds: [LosslessTests.ProposerKind] = [
      .none, .ngram(window: 3), .automatic(window: 6), .head(window: 4), .block(window: 4), .mtp(window: 3),
    ]
    for kind in kinds {
      for (threads, rows, sequences, stagger) in [(1, 7, 1, 0), (3, 13, 6, 2), (2, 64, 6, 5)] {
        let loop = try pair.loop(quantization, proposer: kind, threads: threads, rows: rows, sequences: sequences)
        let outcomes = try loop.outcomes(of: requests, stagger: stagger).outcomes
        #expect(outcomes == plain, "\(kind), \(threads) threads, \(rows) rows, \(sequences) sequences")
      }
    }
    for set in InstructionSet.available {
      let loop = try pair.loop(quantization, proposer: .draft(window: 4), sequences: 2, instructionSet: set)
      #expect(try loop.outcomes(of: requests).outcomes == plain, "\(set)")
    }
  }

  @Test("preemption and prefix hits are invisible")
  func memory() throws {
    let pair = try LosslessTests.Pair.random(experts: 6)
    let requests = LosslessTests.requests(vocabularySize: 193, tokens: 150)
    let plain = try requests.map { try pair.loop(.int4, proposer: .none).outcome(of: $0) }
    for kind in [LosslessTests.ProposerKind.none, .draft(window: 3), .mtp(window: 3)] {
      let loop = try pair.loop(.int4, proposer: kind, rows: 40, sequences: 6, blocksFor: 2, sharesPrefixes: true)
      for round in 0..<2 {
        #expect(try loop.outcomes(of: requests, stagger: round).outcomes == plain, "\(kind), round \(round)")
      }
    }
  }
}
