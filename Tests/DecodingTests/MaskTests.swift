import Decoding
import Tensor
import TestSupport
import Testing

/// Sampling among some of the tokens.
@Suite struct MaskTests {
  private func activations(_ values: [Float]) throws -> Activations {
    let activations = try Activations(rowCapacity: 1, columns: values.count)
    activations.setRow(0, to: values)
    return activations
  }

  @Test("a masked sample is the sample of a vocabulary that has no other tokens", arguments: [0.0, 0.7, 2.0])
  func excludedTokensDoNotExist(temperature: Double) throws {
    var generator = SeededGenerator(seed: 3)
    for round in 0..<200 {
      let values = (0..<130).map { _ in generator.normal() * 3 }
      var mask = TokenMask(vocabularySize: 130)
      for token in 0..<Int32(130) where Int.random(in: 0..<5, using: &generator) == 0 { mask.insert(token) }
      mask.insert(Int32.random(in: 0..<130, using: &generator))
      var parameters = SamplingParameters()
      parameters.temperature = temperature
      parameters.seed = UInt64(round)
      if round % 3 == 1 { parameters.topK = 5 }
      if round % 3 == 2 { (parameters.topP, parameters.minP) = (0.8, 0.05) }
      let sampler = Sampler(parameters)
      let counts = TokenCounts(prompt: [Int32]())
      let token = sampler.sample(try activations(values), row: 0, counts: counts, position: round, mask: mask)
      #expect(mask.contains(token))
      let excluded = values.enumerated().map { mask.contains(Int32($0)) ? $1 : -1e30 }
      #expect(token == sampler.sample(try activations(excluded), row: 0, counts: counts, position: round))
    }
  }

  @Test("withheld tokens do not exist until their position, unless nothing else does", arguments: [0.0, 0.9])
  func withheldTokens(temperature: Double) throws {
    var generator = SeededGenerator(seed: 6)
    var parameters = SamplingParameters()
    parameters.temperature = temperature
    let counts = TokenCounts(prompt: [Int32]())
    let withheld: Set<Int32> = [0, 3, 64, 99, 500]
    let sampler = Sampler(parameters, withholding: withheld, before: 10)
    for position in 0..<20 {
      let values = (0..<100).map { withheld.contains(Int32($0)) ? 9 : generator.normal() }
      let logits = try activations(values)
      let token = sampler.sample(logits, row: 0, counts: counts, position: position)
      guard position < 10 else {
        #expect(token == Sampler(parameters).sample(logits, row: 0, counts: counts, position: position))
        continue
      }
      #expect(!withheld.contains(token))
      let rest = values.enumerated().map { withheld.contains(Int32($0)) ? -1e30 : $1 }
      #expect(token == Sampler(parameters).sample(try activations(rest), row: 0, counts: counts, position: position))
      let distribution = sampler.distribution(logits, row: 0, counts: counts, position: position)
      #expect(withheld.allSatisfy { distribution.probability(of: $0) == 0 })
      var only = TokenMask(vocabularySize: 100)
      only.insert(64)
      #expect(sampler.sample(logits, row: 0, counts: counts, position: position, mask: only) == 64)
      only.insert(7)
      #expect(sampler.sample(logits, row: 0, counts: counts, position: position, mask: only) == 7)
    }
  }

  @Test("a mask holds what was inserted, and nothing beyond its room")
  func membership() {
    var mask = TokenMask(vocabularySize: 70)
    mask.insert(0)
    mask.insert(69)
    #expect(mask.count == 2 && mask.contains(69) && !mask.contains(1))
    #expect(!mask.contains(-1) && !mask.contains(100_000))
  }
}
