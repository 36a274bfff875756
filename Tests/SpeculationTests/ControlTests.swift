import Decoding
import Speculation
import Testing

@Suite struct AcceptanceEstimatorTests {
  let request = RequestID(1)

  @Test("without evidence it believes the prior, and a proposal's own confidence")
  func prior() {
    let estimator = AcceptanceEstimator(prior: 0.4)
    #expect(abs(estimator.probability(for: request) - 0.4) < 1e-9)
    #expect(abs(estimator.probability(confidence: 0.7, at: 0, for: request) - 0.7) < 1e-9)
    #expect(estimator.probability(confidence: 1, at: 3, for: request) < 1)
  }

  @Test("a confidence is worth what came of it, level by level")
  func calibration() {
    var estimator = AcceptanceEstimator(prior: 0.5)
    // What claims nine tenths is right half the time; what claims a fifth always is.
    for index in 0..<400 {
      estimator.record([0.9], accepted: index % 2, for: RequestID(10 + index))
      estimator.record([0.2], accepted: 1, for: RequestID(1000 + index))
    }
    #expect(abs(estimator.probability(confidence: 0.9, at: 0, for: request) - 0.5) < 0.06)
    #expect(estimator.probability(confidence: 0.2, at: 0, for: request) > 0.9)
    // Later positions of a window are another matter, of which nothing is known.
    #expect(abs(estimator.probability(confidence: 0.9, at: 1, for: request) - 0.9) < 1e-9)
  }

  @Test("proposals after the first rejected one are not held against anybody")
  func unreached() {
    var (short, long) = (AcceptanceEstimator(prior: 0.5), AcceptanceEstimator(prior: 0.5))
    for _ in 0..<20 {
      short.record([0.8, 0.8], accepted: 1, for: request)
      long.record([0.8, 0.8, 0.8, 0.8, 0.8], accepted: 1, for: request)
    }
    #expect(short.probability(for: request) == long.probability(for: request))
  }

  @Test("a request is judged by its own fate, and forgotten with it")
  func ownFate() {
    var estimator = AcceptanceEstimator(prior: 0.5)
    let (good, bad) = (RequestID(2), RequestID(3))
    for _ in 0..<30 {
      estimator.record([0.6, 0.6], accepted: 2, for: good)
      estimator.record([0.6], accepted: 0, for: bad)
    }
    #expect(estimator.probability(for: good) > 0.85 && estimator.probability(for: bad) < 0.2)
    #expect(
      estimator.probability(confidence: 0.6, at: 0, for: good)
        > 2 * estimator.probability(confidence: 0.6, at: 0, for: bad))
    let stranger = estimator.probability(for: request)
    estimator.forget(bad)
    #expect(estimator.probability(for: bad) == stranger)
  }

  @Test("evidence fades while nothing is proposed, and a proposal ends the silence")
  func silence() {
    var estimator = AcceptanceEstimator(prior: 0.7)
    for _ in 0..<20 { estimator.record([0.7], accepted: 0, for: request) }
    for index in 0..<2000 { estimator.record([0.7], accepted: 1, for: RequestID(10 + index)) }
    let before = estimator.probability(for: request)
    estimator.pass(300, for: request)
    #expect(estimator.silence(of: request) == 300)
    #expect(estimator.probability(for: request) > before + 0.3)
    estimator.record([0.7], accepted: 1, for: request)
    #expect(estimator.silence(of: request) == 0)
  }
}

@Suite struct ProposalBackoffTests {
  /// Of `steps` steps of `sequences` sequences, how many were left alone.
  func skipped(_ backoff: inout ProposalBackoff, _ steps: Int, sequences: Int, cost: Double, gain: Double) -> Int {
    (0..<steps).count { _ in
      if backoff.isDue(for: sequences) { return true }
      backoff.record(cost: cost, gain: gain)
      return false
    }
  }

  @Test("one sequence is always asked for, and many as long as it pays")
  func paying() {
    var backoff = ProposalBackoff()
    #expect(skipped(&backoff, 100, sequences: 1, cost: 0.1, gain: -0.1) == 0)
    backoff = ProposalBackoff()
    #expect(skipped(&backoff, 100, sequences: 8, cost: 0.02, gain: 0.2) == 0)
  }

  @Test("where asking does not pay, pauses grow up to 32 steps, and begin anew with another number of sequences")
  func pauses() {
    var backoff = ProposalBackoff()
    #expect(skipped(&backoff, 8, sequences: 16, cost: 0.05, gain: 0) == 0)
    let early = skipped(&backoff, 60, sequences: 16, cost: 0.05, gain: 0)
    let late = skipped(&backoff, 330, sequences: 16, cost: 0.05, gain: 0)
    #expect(early >= 48 && late >= 310)
    let isLeftAlone = backoff.isDue(for: 4)
    #expect(!isLeftAlone)
  }

  @Test("what pays again is asked for at once after the pause")
  func recovery() {
    var backoff = ProposalBackoff()
    _ = skipped(&backoff, 200, sequences: 8, cost: 0.05, gain: 0)
    _ = skipped(&backoff, 200, sequences: 8, cost: 0.01, gain: 0.5)
    #expect(skipped(&backoff, 50, sequences: 8, cost: 0.01, gain: 0.5) == 0)
  }
}

@Suite struct ExpectationTests {
  @Test("answers are expected to get as long as those that got past this point")
  func lengths() {
    var lengths = AnswerLengths()
    #expect(lengths.expectedRemaining(after: 0) == 64)
    for _ in 0..<64 { lengths.record(10) }
    #expect(lengths.expectedRemaining(after: 0) < 13 && lengths.expectedRemaining(after: 10) == 64)
    for _ in 0..<64 { lengths.record(500) }
    #expect(lengths.expectedRemaining(after: 100) > 350)
    lengths.record(0)
    #expect(lengths.expectedRemaining(after: 100) > 350)
  }

  @Test("tries take a hundredth of the time, and are not saved up for long")
  func probes() {
    var budget = ProbeBudget()
    let isEmpty = !budget.take(0.5)
    #expect(isEmpty)
    var taken = 0
    for _ in 0..<1000 {
      budget.pass(1)
      if budget.take(0.5) { taken += 1 }
    }
    #expect(abs(taken - 20) <= 1)
    for _ in 0..<100_000 { budget.pass(1) }
    let saved = (0..<100).prefix { _ in budget.take(1) }.count
    #expect(saved == 10)
  }
}

@Suite struct MethodTests {
  /// Proposes its own number, as many as the window holds.
  final class Fixed: Proposer {
    let token: Int32
    private(set) var rows: [Int] = []
    private(set) var forgotten: [RequestID] = []

    init(_ token: Int32) { self.token = token }

    func propose(for contexts: [ProposalContext], in pass: PassOutline) -> [Proposal] {
      rows.append(pass.rows)
      return contexts.map { Proposal(tokens: Array(repeating: token, count: $0.window), origin: .draftModel) }
    }

    func forget(_ request: RequestID) { forgotten.append(request) }
  }

  func context(_ id: Int, _ method: SpeculationMethod?, window: Int = 2) -> ProposalContext {
    ProposalContext(
      request: RequestID(id), tokens: [1, 2, 3], promptCount: 3, window: window, method: method,
      sampler: Sampler(SamplingParameters()), counts: TokenCounts(prompt: []))
  }

  @Test("requests that name a method are served by it, and the others planned around them")
  func routing() throws {
    let (deciding, lookup, suffix) = (Fixed(0), Fixed(1), Fixed(2))
    let router = MethodRouter(deciding: deciding, shared: [.suffix: suffix], others: [.ngram: lookup])
    let contexts = [
      context(1, .suffix), context(2, nil, window: 1), context(3, .ngram, window: 3), context(4, .draftModel),
      context(5, .suffix),
    ]
    let proposals = try router.propose(for: contexts, in: PassOutline(rows: 5))
    // Nobody is there for the draft model, so whoever decides does.
    #expect(proposals.map(\.tokens) == [[2, 2], [0], [1, 1, 1], [0, 0], [2, 2]])
    #expect(suffix.rows == [5] && lookup.rows == [5] && deciding.rows == [5 + 2 + 3 + 2])
    router.forget(RequestID(3))
    // What `deciding` chooses from it tells itself.
    #expect(deciding.forgotten == [RequestID(3)] && lookup.forgotten == [RequestID(3)] && suffix.forgotten.isEmpty)
  }

  @Test("every method of this engine has a proposer, and the others are refused by name")
  func factory() throws {
    let factory = ProposerFactory()
    #expect(try factory.proposer(of: nil) is NoProposer)
    for method in SpeculationMethod.own where [.nothing, .optionalModel].contains(method.need) {
      _ = try factory.proposer(of: method)
    }
    for method in SpeculationMethod.allCases where ![.nothing, .optionalModel].contains(method.need) {
      let error = #expect(throws: MissingProposer.self) { try factory.proposer(of: method) }
      #expect(error?.description.contains("'\(method.rawValue)'") == true)
    }
  }

  @Test("requests may name what 'auto' chooses from, and nothing that is not loaded")
  func choices() {
    #expect(SpeculationMethod.automatic.choices(loaded: nil) == [.automatic, .ngram, .suffix])
    #expect(SpeculationMethod.automatic.choices(loaded: .eagle3) == [.automatic, .ngram, .suffix, .eagle3])
    #expect(SpeculationMethod.suffix.choices(loaded: nil) == [.suffix])
    // A head in a draft model's place.
    #expect(SpeculationMethod.draftModel.choices(loaded: .eagle3) == [.eagle3])
  }
}
