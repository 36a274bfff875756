import Decoding
import Foundation
import Tensor
import TestSupport
import Testing
import Tokenization

@Suite struct PhiloxTests {
  @Test("matches the published test vectors of Philox4x32-10")
  func knownAnswers() {
    #expect(Philox(key: 0).words(at: SIMD4(0, 0, 0, 0)) == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
    let ones = UInt32.max
    #expect(
      Philox(key: .max).words(at: SIMD4(ones, ones, ones, ones))
        == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
    #expect(
      Philox(key: 0x299f_31d0_a409_3822).words(at: SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344))
        == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
  }
}

@Suite struct SamplerTests {
  static func logits(_ values: [Float]) throws -> Activations {
    let logits = try Activations(rowCapacity: 1, columns: values.count)
    logits.setRow(0, to: values)
    return logits
  }

  static let values: [Float] = {
    var generator = SeededGenerator(seed: 4)
    return (0..<24).map { _ in 1.5 * generator.normal() }
  }()

  /// Probabilities that the parameters ask for, computed the plain way.
  static func expected(_ values: [Float], _ parameters: SamplingParameters) -> [Double] {
    let scaled = values.map { Double($0) / parameters.temperature }
    let top = scaled.max() ?? 0
    var weights = scaled.map { exp($0 - top) }
    for index in weights.indices where weights[index] < parameters.minP { weights[index] = 0 }
    var order = weights.indices.sorted { weights[$0] > weights[$1] }
    if parameters.topK > 0 { order = Array(order.prefix(parameters.topK)) }
    let total = order.reduce(0) { $0 + weights[$1] }
    var (kept, sum): ([Int], Double) = ([], 0)
    for index in order where sum < parameters.topP * total {
      kept.append(index)
      sum += weights[index]
    }
    return weights.indices.map { kept.contains($0) ? weights[$0] / sum : 0 }
  }

  static let cases: [(temperature: Double, topP: Double, topK: Int, minP: Double)] = [
    (1, 1, 0, 0), (0.6, 1, 0, 0), (1.7, 1, 0, 0), (1, 0.9, 0, 0), (0.8, 0.5, 0, 0), (1.3, 0.95, 10, 0), (1, 1, 5, 0),
    (1, 1, 0, 0.1),
  ]

  @Test(
    "the smallest temperatures are greedy, in every way of drawing",
    arguments: [0x1p-1074, 0x1p-1030, 2.2250738585072014e-308, 1e-300, 1e-100, 1e-39, 1e-21, 1e-19])
  func smallestTemperatures(temperature: Double) throws {
    let logits = try Self.logits(Self.values.map { $0 * 20 })
    let counts = TokenCounts(prompt: [Int32]())
    let greedy = Sampler(SamplingParameters()).sample(logits, row: 0, counts: counts, position: 0)
    var mask = TokenMask(vocabularySize: 24)
    for token in 0..<Int32(24) { mask.insert(token) }
    for filter in 0..<4 {
      var parameters = SamplingParameters()
      parameters.temperature = temperature
      parameters.seed = 9
      if filter == 1 { parameters.topK = 5 }
      if filter == 2 { parameters.topP = 0.5 }
      if filter == 3 { parameters.minP = .leastNonzeroMagnitude }
      try parameters.validate(vocabularySize: 24)
      let sampler = Sampler(parameters)
      for position in 0..<20 {
        #expect(sampler.sample(logits, row: 0, counts: counts, position: position) == greedy)
        #expect(sampler.sample(logits, row: 0, counts: counts, position: position, mask: mask) == greedy)
        let distribution = sampler.distribution(logits, row: 0, counts: counts, position: position)
        #expect(distribution.probability(of: greedy) == 1)
      }
    }
  }

  @Test("filters at their smallest leave the likeliest token", arguments: [0, 0x1p-1074, 0x1p-1030])
  func smallestFilters(topP: Double) throws {
    let logits = try Self.logits(Self.values)
    var parameters = SamplingParameters()
    (parameters.temperature, parameters.topP) = (1, topP)
    try parameters.validate(vocabularySize: 24)
    let counts = TokenCounts(prompt: [Int32]())
    let greedy = Sampler(SamplingParameters()).sample(logits, row: 0, counts: counts, position: 0)
    for position in 0..<20 {
      #expect(Sampler(parameters).sample(logits, row: 0, counts: counts, position: position) == greedy)
    }
  }

  @Test("most of the noise is left out, and the token is that of a draw with all of it", arguments: 0..<60)
  func fastDraw(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let scale = [0.01, 1, 5, 60][Int(seed % 4)] as Float
    // Not a multiple of what a kernel works on at a time; with equal values, and values that are no numbers.
    var values = (0..<2_500 + Int(seed)).map { _ in scale * generator.normal() }
    for index in values.indices where index % 7 == 3 { values[index] = values[(index * 5) % values.count] }
    if seed % 5 == 4 { (values[0], values[9], values[17]) = (.nan, -.infinity, .nan) }
    if seed % 20 == 19 { values[11] = .infinity }
    let logits = try Self.logits(values)
    var parameters = SamplingParameters()
    parameters.temperature = [1, 0.3, 1.9, 1e-3, 1e-30, 40][Int(seed % 6)]
    let all = TokenMask(words: Array(repeating: .max, count: (values.count + 63) / 64))
    for position in 0..<40 {
      parameters.seed = seed << 32 + UInt64(position)
      let sampler = Sampler(parameters)
      // A mask of all tokens takes the way of masks.
      let slow = sampler.sample(
        logits, row: 0, counts: TokenCounts(prompt: []), position: position, mask: all)
      #expect(sampler.sample(logits, row: 0, counts: TokenCounts(prompt: []), position: position) == slow)
    }
  }

  @Test("filters over many tokens keep what sorting all of them would keep", arguments: 0..<40)
  func filters(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let values = (0..<1_500).map { _ in 3 * generator.normal() }
    var parameters = SamplingParameters()
    parameters.temperature = [1, 0.5, 2, 0.05][Int(seed % 4)]
    parameters.topK = [0, 1, 20, 700, 5_000][Int(seed % 5)]
    parameters.topP = [0.95, 0.3, 1, 0.999_999][Int(seed / 2 % 4)]
    let expected = Self.expected(values, parameters)
    let found = Sampler(parameters).distribution(
      try Self.logits(values), row: 0, counts: TokenCounts(prompt: []), position: 0)
    for (token, probability) in expected.enumerated() where probability > 1e-9 {
      #expect(abs(found.probability(of: TokenID(token)) - probability) < 1e-9 + 1e-6 * probability)
    }
  }

  @Test("draws follow the target's distribution (chi-square, 100,000 draws)", arguments: cases)
  func distribution(temperature: Double, topP: Double, topK: Int, minP: Double) throws {
    var parameters = SamplingParameters()
    (parameters.temperature, parameters.topP, parameters.topK, parameters.minP) = (temperature, topP, topK, minP)
    parameters.seed = 20_260_101
    let (logits, draws) = (try Self.logits(Self.values), 100_000)
    let (sampler, counts) = (Sampler(parameters), TokenCounts(prompt: []))
    var observed = [Int](repeating: 0, count: Self.values.count)
    for position in 0..<draws {
      observed[Int(sampler.sample(logits, row: 0, counts: counts, position: position))] += 1
    }
    let expected = Self.expected(Self.values, parameters)
    var (statistic, cells, restExpected, restObserved) = (0.0, 0, 0.0, 0.0)
    for (count, probability) in zip(observed, expected) {
      if probability == 0 { #expect(count == 0, "a token outside the support was drawn") }
      let mean = probability * Double(draws)
      if mean < 5 {
        restExpected += mean
        restObserved += Double(count)
      } else {
        statistic += (Double(count) - mean) * (Double(count) - mean) / mean
        cells += 1
      }
    }
    if restExpected >= 1 {
      statistic += (restObserved - restExpected) * (restObserved - restExpected) / restExpected
      cells += 1
    }
    // Wilson and Hilferty's approximation of the 99.9 % point.
    let freedom = Double(max(cells - 1, 1))
    let limit = freedom * pow(1 - 2 / (9 * freedom) + 3.09 * sqrt(2 / (9 * freedom)), 3)
    #expect(statistic < limit, "chi-square \(statistic) with \(cells - 1) degrees of freedom")
  }

  @Test("seeds give independent streams, also at the same positions")
  func seedsDiffer() throws {
    let logits = try Self.logits([Float](repeating: 0, count: 64))
    var parameters = SamplingParameters()
    parameters.temperature = 1
    let streams = (0..<50).map { seed in
      parameters.seed = UInt64(seed)
      return (0..<20).map { Sampler(parameters).sample(logits, row: 0, counts: TokenCounts(prompt: []), position: $0) }
    }
    #expect(Set(streams).count == 50)
  }

  @Test("temperature 0 takes the largest logit, and the lower id of equals")
  func greedy() throws {
    let sampler = Sampler(SamplingParameters())
    let counts = TokenCounts(prompt: [])
    #expect(sampler.sample(try Self.logits([1, 3, 3, 2]), row: 0, counts: counts, position: 0) == 1)
    var biased = SamplingParameters()
    biased.logitBias = [3: 1.5]
    #expect(Sampler(biased).sample(try Self.logits([1, 3, 3, 2]), row: 0, counts: counts, position: 0) == 3)
  }

  @Test("penalties follow the tokens of prompt and output")
  func penalties() throws {
    let logits = try Self.logits([2, 1.9, -1, 0])
    var counts = TokenCounts(prompt: [0])
    var parameters = SamplingParameters()
    parameters.repetitionPenalty = 1.5
    #expect(Sampler(parameters).sample(logits, row: 0, counts: counts, position: 0) == 1)
    // Presence and frequency look at the output alone.
    parameters = SamplingParameters()
    parameters.presencePenalty = 0.5
    #expect(Sampler(parameters).sample(logits, row: 0, counts: counts, position: 0) == 0)
    counts.append(0)
    #expect(Sampler(parameters).sample(logits, row: 0, counts: counts, position: 1) == 1)
    parameters.presencePenalty = 0
    parameters.frequencyPenalty = 0.06
    #expect(Sampler(parameters).sample(logits, row: 0, counts: counts, position: 1) == 0)
    counts.append(0)
    #expect(Sampler(parameters).sample(logits, row: 0, counts: counts, position: 2) == 1)
  }

  @Test("log-probabilities are those of the raw logits")
  func logprobs() throws {
    let values = Self.values
    let total = values.reduce(0) { $0 + exp(Double($1)) }
    let found = TokenLogprobs(try Self.logits(values), row: 0, token: 3, count: 4)
    #expect(abs(found.chosen - (Double(values[3]) - log(total))) < 1e-9)
    let order = values.indices.sorted { values[$0] > values[$1] }.prefix(4).map { Int32($0) }
    #expect(found.top.map(\.token) == order)
  }

  @Test("parameters out of range are refused by name")
  func ranges() {
    func refused(_ change: (inout SamplingParameters) -> Void) -> String? {
      var parameters = SamplingParameters()
      change(&parameters)
      return #expect(throws: RequestError.self) { try parameters.validate(vocabularySize: 50) }?.parameter
    }
    #expect(refused { $0.temperature = -1 } == "temperature")
    #expect(refused { $0.temperature = .nan } == "temperature")
    #expect(refused { $0.topP = -0.1 } == "top_p")
    #expect(refused { $0.topP = 1.1 } == "top_p")
    #expect(refused { $0.topK = -1 } == "top_k")
    #expect(refused { $0.minP = 2 } == "min_p")
    #expect(refused { $0.repetitionPenalty = 0 } == "repetition_penalty")
    #expect(refused { $0.presencePenalty = 3 } == "presence_penalty")
    #expect(refused { $0.frequencyPenalty = -3 } == "frequency_penalty")
    #expect(refused { $0.logitBias = [99: 1] } == "logit_bias")
    #expect(refused { $0.logitBias = [1: .infinity] } == "logit_bias")
  }
}
