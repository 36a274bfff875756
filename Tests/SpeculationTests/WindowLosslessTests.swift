import Decoding
import Inference
import ModelFiles
import Speculation
import Tensor
import TestSupport
import Testing
import Tokenization
import Transformer

/// The promise, for models whose layers have windows: what they let go of nobody misses.
@Suite struct WindowLosslessTests {
  /// A target of the family, and a draft that knows nothing of it.
  private struct Family {
    let target, draft: (checkpoint: Checkpoint, configuration: ModelConfiguration)
    let directory: TemporaryDirectory

    init(_ example: ForwardCase) throws {
      directory = try TemporaryDirectory()
      var model = RandomModel(seed: 2)
      model.layerCount = 1
      try model.write(to: directory)
      func open(_ path: String) throws -> (Checkpoint, ModelConfiguration) {
        (try Checkpoint(directory: path), try ModelConfiguration(directory: path))
      }
      (target, draft) = (try open(example.directory), try open(directory.path))
    }

    /// - Parameter windowBlocks: blocks of layers with a window; as many as those of all layers when `nil`.
    func loop(
      drafts: Bool? = nil, window: Int = 0, windowBlocks: Int? = nil, threads: Int = 2, rows: Int = 40,
      sequences: Int = 1, sharesPrefixes: Bool = false, quantization: Quantization = .none,
      cacheFormat: KVCacheFormat = .float16, instructionSet: InstructionSet? = nil
    ) throws -> DecodingLoop {
      let pool = WorkerPool(threadCount: threads)
      var limits = RunnerLimits(
        rows: max(rows, sequences * (window + 1)), logitRows: sequences * (window + 1), sequences: sequences,
        positions: 200)
      func runner(_ model: (checkpoint: Checkpoint, configuration: ModelConfiguration)) throws -> CPUModelRunner {
        try CPUModelRunner(
          checkpoint: model.checkpoint, configuration: model.configuration, quantization: quantization,
          limits: limits, pool: pool, instructionSet: instructionSet, cacheFormat: cacheFormat)
      }
      let other = try runner(draft)
      limits.windowBlocks = windowBlocks
      let runner = try runner(target)
      let proposer: any Proposer =
        switch drafts {
        case nil: NoProposer()
        case true?: DraftModelProposer(runner: other, vocabularySize: runner.vocabularySize)
        case false?: NGramProposer(lengths: 1...3)
        }
      return DecodingLoop(
        runner: runner, tokenizer: try Tokenizer(directory: Places.target), proposer: proposer,
        verifier: CoupledVerifier(), window: window, sequences: sequences, rows: rows, sharesPrefixes: sharesPrefixes)
    }

    /// As few blocks as one sequence can do with, and some for the others.
    func blocks(rows: Int, spare: Int) throws -> Int {
      WindowLimits.leastSlots(
        window: try #require(target.configuration.largestWindow), rows: rows, blockSize: KVStorage.blockSize) + spare
    }
  }

  static let families = ForwardCase.windowed.filter { $0.name != "mistral-full" }

  @Test(
    "speculation, chunks, batch mates, threads and blocks that are used again do not change a token",
    arguments: families)
  func lossless(example: ForwardCase) throws {
    let family = try Family(example)
    let requests = LosslessTests.requests(vocabularySize: 193, tokens: 60)
    let plain = try requests.map { try family.loop(threads: 1).outcome(of: $0) }
    for (drafts, window) in [(nil, 0), (false, 5), (true, 1), (true, 7)] as [(Bool?, Int)] {
      for (rows, sequences, spare, stagger) in [(40, 1, 0, 0), (17, 3, 2, 0), (33, 6, 5, 2)] {
        let most = max(rows, sequences * (window + 1))
        let loop = try family.loop(
          drafts: drafts, window: window, windowBlocks: try family.blocks(rows: most, spare: spare), rows: rows,
          sequences: sequences)
        #expect(
          try loop.outcomes(of: requests, stagger: stagger).outcomes == plain,
          "\(drafts.map { $0 ? "draft" : "n-gram" } ?? "plain") \(window), \(rows) rows, \(sequences) sequences")
      }
    }
  }

  @Test(
    "a prefix found in the cache changes no token, though layers with a window have let go of most of it",
    arguments: families)
  func prefixes(example: ForwardCase) throws {
    let family = try Family(example)
    var generator = SeededGenerator(seed: 4)
    let opening = (0..<50).map { _ in Int32.random(in: 0..<193, using: &generator) }
    func conversations(_ loop: DecodingLoop) throws -> [Outcome] {
      var outcomes: [Outcome] = []
      for index in 0..<3 {
        var prompt = opening
        for turn in 0..<3 {
          prompt += (0..<(5 + 9 * turn)).map { Int32(($0 * 7 + index * 31 + turn) % 193) }
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
    let plain = try conversations(try family.loop())
    var hits: [Int] = []
    for spare in [0, 1, 3, 30] {
      for (drafts, window) in [(nil, 0), (true, 4)] as [(Bool?, Int)] {
        let loop = try family.loop(
          drafts: drafts, window: window, windowBlocks: try family.blocks(rows: 40, spare: spare),
          sharesPrefixes: true)
        #expect(try conversations(loop) == plain, "\(spare) spare blocks, window \(window)")
        hits.append(loop.statistics.prefixHits)
      }
    }
    #expect(hits[6] > 0 && hits[6] == hits[7], "\(hits)")
  }

  @Test(
    "quantised weights, bytes as keys and values and every instruction set give the same with blocks used again",
    arguments: [Quantization.int8, .int4])
  func formats(quantization: Quantization) throws {
    for example in Self.families where example.name == "gemma3" || example.name == "gemma2" {
      let family = try Family(example)
      let requests = LosslessTests.requests(vocabularySize: 193, tokens: 24)
      let plain = try requests.map {
        try family.loop(threads: 1, quantization: quantization, cacheFormat: .int8).outcome(of: $0)
      }
      for set in InstructionSet.available where set != .portable {
        let loop = try family.loop(
          drafts: true, window: 3, windowBlocks: try family.blocks(rows: 40, spare: 3), sequences: 3,
          quantization: quantization, cacheFormat: .int8, instructionSet: set)
        #expect(try loop.outcomes(of: requests).outcomes == plain, "\(example), \(set)")
      }
    }
  }
}
