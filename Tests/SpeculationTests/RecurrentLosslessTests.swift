import Decoding
import Foundation
import Inference
import ModelFiles
import Speculation
import Tensor
import TestSupport
import Testing
import Tokenization
import Transformer

/// The promise for models with recurrent layers, whose states cannot be cut back.
@Suite struct RecurrentLosslessTests {
  private static func loop(
    _ quantization: Quantization = .none, proposer kind: LosslessTests.ProposerKind = .none,
    guesses: (any Proposer)? = nil,
    window: Int? = nil, threads: Int = 2, rows: Int = 64, sequences: Int = 1, blocksFor: Int? = nil, slots: Int? = nil,
    instructionSet: InstructionSet? = nil, sharesPrefixes: Bool = false, model: String = "mtp"
  ) throws -> DecodingLoop {
    let container = try openContainer(at: Places.golden.appendingPathComponent("recurrent/\(model)").path)
    let (checkpoint, configuration) = (try container.checkpoint(), try container.configuration())
    let (pool, window) = (WorkerPool(threadCount: threads), window ?? kind.window)
    let logitRows = sequences * (window + 1)
    var limits = RunnerLimits(
      rows: max(rows, logitRows), logitRows: logitRows, sequences: blocksFor ?? sequences, positions: 320)
    limits.stateSlots = slots ?? sequences * (window + 3) + (sharesPrefixes ? 40 : 0)
    let target = try CPUModelRunner(
      checkpoint: checkpoint, configuration: configuration, quantization: quantization, limits: limits, pool: pool,
      instructionSet: instructionSet)
    let proposer: any Proposer =
      switch kind {
      case .ngram: NGramProposer(lengths: 1...3)
      case .suffix: SuffixProposer()
      case .mtp:
        try mtp(
          CPUHeadRunner(
            #require(try container.carriedHead()), target: (configuration, checkpoint), quantization: quantization,
            limits: limits, pool: pool, instructionSet: instructionSet))
      default: NoProposer()
      }
    return DecodingLoop(
      runner: target, tokenizer: try Tokenizer(directory: Places.target), proposer: guesses ?? proposer,
      verifier: CoupledVerifier(), window: window,
      costs: PassCosts(samples: [(rows: 1, seconds: 1e-3), (rows: 64, seconds: 1.5e-3)]), sequences: sequences,
      rows: rows, sharesPrefixes: sharesPrefixes)
  }

  private static func mtp(_ head: CPUHeadRunner) -> HeadProposer {
    HeadProposer(head, runner: head, origin: .mtp)
  }

  private static func requests(tokens: Int) -> [GenerationRequest] {
    LosslessTests.requests(vocabularySize: 193, tokens: tokens)
  }

  private static let kinds: [LosslessTests.ProposerKind] =
    [.ngram(window: 4), .suffix(window: 6)] + [1, 2, 5, 8].map { .mtp(window: $0) }

  @Test(
    "threads, chunks, batch mates, proposers and instruction sets do not change a token",
    arguments: [
      ("mtp", Quantization.none), ("mtp", .int8), ("mtp", .int4), ("moe", .none), ("moe", .int4), ("next", .int8),
    ])
  func execution(model: String, quantization: Quantization) throws {
    let requests = Self.requests(tokens: 32)
    let plain = try requests.map { try Self.loop(quantization, threads: 1, model: model).outcome(of: $0) }
    for kind in [.none] + Self.kinds {
      for (threads, rows, sequences, stagger) in [(1, 7, 1, 0), (3, 13, 6, 2), (2, 30, 6, 5)] {
        let loop = try Self.loop(
          quantization, proposer: kind, threads: threads, rows: rows, sequences: sequences, model: model)
        let outcomes = try loop.outcomes(of: requests, stagger: stagger).outcomes
        #expect(outcomes == plain, "\(kind), \(threads) threads, \(rows) rows, \(sequences) sequences")
      }
    }
    for set in InstructionSet.available where set != .portable || quantization == .none {
      let loop = try Self.loop(
        quantization, proposer: .mtp(window: 3), sequences: 2, instructionSet: set, model: model)
      #expect(try loop.outcomes(of: requests).outcomes == plain, "\(set)")
    }
  }

  @Test("proposals that go wrong at any place leave no trace", arguments: 0...6)
  func rejection(offset: Int) throws {
    let requests = Self.requests(tokens: 48)
    let plain = try requests.map { try Self.loop().outcome(of: $0) }
    let texts = zip(requests, plain).map { $0.prompt + $1.tokens }
    let guesses = Prophet(texts: texts, wrongAfter: offset)
    let loop = try Self.loop(guesses: guesses, window: 6, rows: 40, sequences: 3)
    let (outcomes, counts) = try loop.outcomes(of: requests, stagger: 2)
    #expect(outcomes == plain)
    #expect(offset == 0 ? counts.acceptedTokens == 0 : counts.acceptedTokens > 100)
  }

  @Test("running out of blocks or of slots preempts and recomputes without changing a token")
  func preemption() throws {
    let requests = Self.requests(tokens: 200)
    let plain = try requests.map { try Self.loop().outcome(of: $0) }
    for (kind, slots) in [
      (LosslessTests.ProposerKind.none, nil), (.mtp(window: 3), nil), (.mtp(window: 3), 3), (.mtp(window: 4), 11),
    ] as [(LosslessTests.ProposerKind, Int?)] {
      let loop = try Self.loop(proposer: kind, rows: 40, sequences: 6, blocksFor: slots == nil ? 2 : nil, slots: slots)
      #expect(try loop.outcomes(of: requests).outcomes == plain, "\(kind), \(slots.map { "\($0)" } ?? "all") slots")
      #expect(slots != nil || loop.statistics.preemptions > 0, "\(kind)")
    }
  }

  @Test("a prefix and its state found in the cache change no token, however few states are kept")
  func prefixCache() throws {
    var generator = SeededGenerator(seed: 4)
    let opening = (0..<70).map { _ in Int32.random(in: 0..<193, using: &generator) }
    func conversations(_ loop: DecodingLoop) throws -> [Outcome] {
      var outcomes: [Outcome] = []
      for index in 0..<3 {
        var prompt = opening
        for turn in 0..<4 {
          prompt += (0..<(5 + 13 * turn)).map { Int32(($0 * 7 + index * 31 + turn) % 193) }
          var request = GenerationRequest(prompt: prompt)
          request.stopping.maximumTokens = 20 + turn
          request.sampling.temperature = Double(index) * 0.6
          let outcome = try loop.outcome(of: request)
          outcomes.append(outcome)
          prompt += outcome.tokens
        }
      }
      return outcomes
    }
    let plain = try conversations(try Self.loop())
    for (kind, slots) in [
      (LosslessTests.ProposerKind.none, 40), (.mtp(window: 3), 40), (.ngram(window: 4), 40), (.mtp(window: 3), 7),
    ] {
      let loop = try Self.loop(proposer: kind, rows: 32, sequences: 2, slots: slots, sharesPrefixes: true)
      #expect(try conversations(loop) == plain, "\(kind), \(slots) slots")
      #expect(slots == 7 || loop.statistics.prefixHits > loop.statistics.prefixQueries / 3, "\(kind)")
    }
    // At once, with too few blocks and slots for all, so that shared ones are evicted and adopted while others run.
    let requests = Self.requests(tokens: 90).map { request in
      var request = request
      request.prompt = opening + request.prompt.prefix(30)
      return request
    }
    let alone = try requests.map { try Self.loop().outcome(of: $0) }
    let loop = try Self.loop(
      proposer: .mtp(window: 3), rows: 40, sequences: 6, blocksFor: 2, slots: 20, sharesPrefixes: true)
    for round in 0..<3 {
      #expect(try loop.outcomes(of: requests, stagger: round * 3).outcomes == alone, "round \(round)")
    }
  }
}

/// Knows how sequences go on, and says so for so many tokens; then it is wrong.
private final class Prophet: Proposer {
  private let texts: [[Int32]]
  private let wrongAfter: Int

  init(texts: [[Int32]], wrongAfter: Int) { (self.texts, self.wrongAfter) = (texts, wrongAfter) }

  func propose(for contexts: [ProposalContext], in pass: PassOutline) -> [Proposal] {
    contexts.map { context in
      let known = context.tokens.count
      let text = texts.first { $0.starts(with: context.tokens) } ?? []
      let next = (0..<context.window).map { index -> Int32 in
        let right = known + index < text.count ? text[known + index] : 0
        return index < wrongAfter ? right : (right + 1) % 193
      }
      return Proposal(tokens: next, origin: .draftModel)
    }
  }

  func forget(_ request: RequestID) {}
}
