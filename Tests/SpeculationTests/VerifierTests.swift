import Decoding
import Foundation
import Inference
import Speculation
import Tensor
import TestSupport
import Testing
import Tokenization

@Suite struct VerifierTests {
  static func logits(_ rows: [[Float]]) throws -> Activations {
    let logits = try Activations(rowCapacity: rows.count, columns: rows[0].count)
    for (index, row) in rows.enumerated() { logits.setRow(index, to: row) }
    return logits
  }

  @Test(
    "rejection sampling draws from the target's distribution, whatever the draft's (chi-square, 100,000 draws)",
    arguments: [(1.0, 1.0), (0.6, 1.0), (1.4, 0.9)])
  func rejectionFollowsTheTarget(temperature: Double, topP: Double) throws {
    let target: [Float] = [2, 1.5, 1, 0.5, 0, -0.5, -1, 1.2]
    let draft: [Float] = [0, 1, 2, 0.5, 1.5, -1, 0, -2]
    let (targetLogits, draftLogits) = (try Self.logits([target, target]), try Self.logits([draft]))
    let (counts, draws) = (TokenCounts(prompt: []), 100_000)
    var observed = [Int](repeating: 0, count: target.count)
    var accepted = 0
    var parameters = SamplingParameters()
    (parameters.temperature, parameters.topP, parameters.seed) = (temperature, topP, 42)
    let sampler = Sampler(parameters)
    for position in 0..<draws {
      let distribution = sampler.distribution(draftLogits, row: 0, counts: counts, position: 0)
      let guess = distribution.token(at: sampler.uniform(position: position, purpose: .draft))
      let proposal = Proposal(tokens: [guess], origin: .draftModel, distributions: [distribution])
      let tokens = RejectionVerifier().verify(
        proposal, logits: targetLogits, firstRow: 0, sampler: sampler, counts: counts, position: position)
      observed[Int(tokens[0])] += 1
      accepted += tokens.count - 1
    }
    let expected = sampler.distribution(targetLogits, row: 0, counts: counts, position: 0)
    var statistic = 0.0
    for (token, probability) in zip(expected.tokens, expected.probabilities) {
      let mean = probability * Double(draws)
      statistic += pow(Double(observed[Int(token)]) - mean, 2) / mean
    }
    for token in observed.indices where expected.probability(of: TokenID(token)) == 0 { #expect(observed[token] == 0) }
    // The 99.9 % point for up to seven degrees of freedom.
    #expect(statistic < 24.3)
    #expect(accepted > 0 && accepted < draws)
  }

  @Test("rejection sampling leaves greedy decoding as it is")
  func rejectionIsGreedyAtZero() throws {
    let logits = try Self.logits([[0, 3, 1], [2, 0, 0], [0, 0, 5]])
    let (sampler, counts) = (Sampler(SamplingParameters()), TokenCounts(prompt: []))
    for guesses in [[1, 0], [1, 2], [0, 0], []] as [[TokenID]] {
      let proposal = Proposal(tokens: guesses, origin: .ngram)
      let plain = CoupledVerifier().verify(
        proposal, logits: logits, firstRow: 0, sampler: sampler, counts: counts, position: 4)
      let rejection = RejectionVerifier().verify(
        proposal, logits: logits, firstRow: 0, sampler: sampler, counts: counts, position: 4)
      #expect(plain == rejection)
    }
  }

  @Test("synthetic verification accepts at the rate that was asked for", arguments: [0.0, 0.3, 0.8, 1.0])
  func syntheticRate(rate: Double) throws {
    let logits = try Self.logits([[0, 1], [0, 1]])
    let (sampler, counts) = (Sampler(SamplingParameters()), TokenCounts(prompt: []))
    let proposal = Proposal(tokens: [0], origin: .draftModel)
    let accepted = (0..<20_000).reduce(0) { sum, position in
      sum
        + SyntheticVerifier(acceptanceRate: rate).verify(
          proposal, logits: logits, firstRow: 0, sampler: sampler, counts: counts, position: position
        ).count - 1
    }
    #expect(abs(Double(accepted) / 20_000 - rate) < 0.015)
  }
}
