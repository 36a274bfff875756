import Decoding
import Speculation
import TestSupport
import Testing
import Tokenization

@Suite struct RecurrentStateTests {
  static func requests(count: Int, seed: UInt64) -> [GenerationRequest] {
    var generator = SeededGenerator(seed: seed)
    let opening = (0..<30).map { _ in Int32.random(in: 0..<48, using: &generator) }
    return (0..<count).map { index in
      // Some begin alike, at and between the borders of blocks.
      let shared = [0, 8, 13, 30][index % 4]
      let own = (0..<Int.random(in: 1...20, using: &generator)).map { _ in Int32.random(in: 0..<48, using: &generator) }
      var request = GenerationRequest(prompt: opening.prefix(shared) + own)
      request.sampling.temperature = index % 3 == 0 ? 0.8 : 0
      request.sampling.seed = UInt64(index)
      request.stopping.maximumTokens = 10 + Int.random(in: 0...30, using: &generator)
      request.stopping.ignoresEndOfText = true
      return request
    }
  }

  @Test(
    "a recurrent model writes the same whatever the proposals, chunks, preemptions, hits and slots",
    arguments: 1...12 as ClosedRange<UInt64>)
  func streams(seed: UInt64) throws {
    let tokenizer = try Tokenizer(directory: Places.target)
    let requests = Self.requests(count: 9, seed: seed)
    let plain = try requests.map { request in
      let runner = try RecurrentRunner(rows: 64, blocks: 30, stateSlots: 3)
      return try DecodingLoop(
        runner: runner, tokenizer: tokenizer, proposer: NoProposer(), verifier: CoupledVerifier(), window: 0
      ).outcome(of: request)
    }
    for outcome in plain { #expect(outcome.reason == .length) }
    var generator = SeededGenerator(seed: seed &* 31)
    var (accepted, hits) = (0, 0)
    for window in [0, 3, 6] {
      let blocks = window == 3 ? 240 : Int.random(in: 30...60, using: &generator)
      let runner = try RecurrentRunner(
        rows: Int.random(in: 8...40, using: &generator), blocks: blocks,
        stateSlots: window == 3 ? 90 : Int.random(in: 3...40, using: &generator))
      let proposer = ParallelGuesser(blocks: blocks, blockSize: 4)
      let loop = DecodingLoop(
        runner: runner, tokenizer: tokenizer, proposer: proposer, verifier: CoupledVerifier(), window: window,
        sequences: Int.random(in: 1...6, using: &generator), sharesPrefixes: seed % 3 != 0)
      // Twice, so that the second time finds what the first has left.
      for _ in 0..<2 {
        let (outcomes, counts) = try loop.outcomes(of: requests, stagger: Int.random(in: 0...3, using: &generator))
        #expect(outcomes == plain, "window \(window)")
        accepted += counts.acceptedTokens
      }
      #expect(proposer.faults.isEmpty, "\(proposer.faults.prefix(3))")
      hits += loop.statistics.prefixHits
      #expect(loop.isIdle && loop.statistics.cacheUsage == 0)
    }
    #expect(accepted > 50)
    #expect(seed % 3 == 0 ? hits == 0 : hits > 0)
  }

  @Test("slots run out before blocks do: requests wait, and nothing is lost")
  func scarceSlots() throws {
    let tokenizer = try Tokenizer(directory: Places.target)
    let requests = Self.requests(count: 8, seed: 5)
    func loop(slots: Int, window: Int) throws -> DecodingLoop {
      DecodingLoop(
        runner: try RecurrentRunner(rows: 40, blocks: 240, stateSlots: slots), tokenizer: tokenizer,
        proposer: ParallelGuesser(blocks: 240, blockSize: 4), verifier: CoupledVerifier(), window: window, sequences: 8,
        sharesPrefixes: true)
    }
    let plain = try loop(slots: 200, window: 0).outcomes(of: requests).outcomes
    var preempted = false
    for slots in [3, 4, 7, 11, 20] {
      let tight = try loop(slots: slots, window: 4)
      #expect(try tight.outcomes(of: requests).outcomes == plain, "\(slots) slots")
      preempted = preempted || tight.statistics.preemptions > 0
    }
    #expect(preempted)
  }
}
