import Decoding
import Inference
import ModelFiles
import PJRT
import PJRTTransformer
import Speculation
import TestSupport
import Testing
import Tokenization
import Transformer

@Suite(.enabled(if: CPUPlugin.location != nil)) struct FusedSpeculationTests {
  /// How tokens are guessed.
  enum Guessing: Sendable { case none, draft, fused }

  /// Counts the passes whose tokens a device chose, or keeps it from choosing any.
  final class ChoiceCounter: ModelRunner {
    let inner: any ModelRunner
    let choosing: TokenChoosing
    private(set) var passes = 0

    init(_ inner: any ModelRunner, chooses: Bool) {
      self.inner = inner
      choosing = chooses ? inner.choosing : .none
    }

    var vocabularySize: Int { inner.vocabularySize }
    var capacity: RunnerCapacity { inner.capacity }
    var memory: RunnerMemory { inner.memory }
    var cacheKey: String? { inner.cacheKey }

    func run(_ pass: Pass) throws(RunnerError) -> PassResult {
      if !pass.choices.isEmpty { passes += 1 }
      return try inner.run(pass)
    }
  }

  /// A target and a draft on devices, with the rows that four windows of seven take.
  struct Pair {
    let target, draft: String
    var rows = 32
    var sequences = 4
    var partitionCount = 1

    func loop(_ guessing: Guessing, window: Int) throws -> DecodingLoop {
      var options = try CPUPlugin.options()
      options.rowBuckets = [rows]
      options.partitionCount = partitionCount
      let session = try PJRTSession(options)
      func runner(_ directory: String) throws -> PJRTModelRunner {
        try PJRTModelRunner(
          session: session, checkpoint: try Checkpoint(directory: directory),
          configuration: try ModelConfiguration(directory: directory),
          limits: RunnerLimits(rows: 64, logitRows: 40, sequences: sequences, positions: 320))
      }
      let runner = (target: try runner(target), draft: try runner(draft))
      let proposer = DraftModelProposer(runner: runner.draft, vocabularySize: runner.target.vocabularySize)
      let fused =
        guessing == .fused
        ? FusedDraftModel(
          try PJRTSpeculator(target: runner.target, draft: .model(runner.draft), window: window), target: runner.target,
          proposer: proposer) : nil
      let target: any ModelRunner = if let fused { fused } else { runner.target }
      let guesser: any Proposer = if let fused { fused } else { proposer }
      return DecodingLoop(
        runner: target, tokenizer: try Tokenizer(directory: Places.target),
        proposer: guessing == .none ? NoProposer() : guesser, verifier: CoupledVerifier(),
        window: guessing == .none ? 0 : window, sequences: sequences, rows: 64)
    }
  }

  /// Requests around the 256th position, where programs for longer contexts take over.
  static func requests(vocabularySize: Int32, tokens: Int) -> [GenerationRequest] {
    var random = SeededGenerator(seed: 4)
    return [(240, 0.0), (7, 0.7), (250, 1.3), (31, 0), (254, 0), (90, 2)].enumerated().map { index, kind in
      var request = GenerationRequest(
        prompt: (0..<kind.0).map { _ in Int32.random(in: 0..<vocabularySize, using: &random) })
      request.sampling.temperature = kind.1
      request.sampling.seed = UInt64(index) << 40 | 77
      request.stopping.maximumTokens = tokens + index
      return request
    }
  }

  func directory(_ seed: UInt64, layers: Int = 2, vocabulary: Int = 193) throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    var model = RandomModel(seed: seed)
    (model.layerCount, model.vocabularySize) = (layers, vocabulary)
    try model.write(to: directory)
    return directory
  }

  @Test("the stream is that of plain decoding and of the unfused path, whatever the draft is worth")
  func streams() throws {
    let target = try directory(1)
    // A draft that knows nothing and has ids of its own, and one that knows everything.
    let (stranger, twin) = (try directory(2, layers: 1, vocabulary: 208), try directory(1))
    let requests = Self.requests(vocabularySize: 193, tokens: 24)
    let plain = try Pair(target: target.path, draft: twin.path).loop(.none, window: 0).outcomes(of: requests).outcomes
    #expect(plain.map(\.tokens.count) == (0..<6).map { 24 + $0 })
    for (draft, window) in [(stranger, 3), (twin, 7), (twin, 1)] {
      let pair = Pair(target: target.path, draft: draft.path)
      let unfused = try pair.loop(.draft, window: window).outcomes(of: requests, stagger: 2)
      let fused = try pair.loop(.fused, window: window).outcomes(of: requests, stagger: 2)
      #expect(unfused.outcomes == plain && fused.outcomes == plain, "window \(window)")
      if draft === twin { #expect(fused.speculation.acceptedTokens > 60, "\(fused.speculation)") }
    }
  }

  @Test("so it is for a trained pair on its own text")
  func trainedPair() throws {
    let tokenizer = try Tokenizer(directory: Places.target)
    let requests = ["Count from 1 to 21.", "Write a story that begins at the old harbour."].flatMap { prompt in
      [0.0, 0.8].map { temperature in
        var request = GenerationRequest(
          prompt: tokenizer.encode("<|im_start|>user\n\(prompt)<|im_end|>\n<|im_start|>assistant\n"))
        request.sampling.temperature = temperature
        request.stopping.maximumTokens = 40
        return request
      }
    }
    let pair = Pair(target: Places.target, draft: Places.draft, rows: 8, sequences: 1)
    let plain = try pair.loop(.none, window: 0).outcomes(of: requests).outcomes
    let fused = try pair.loop(.fused, window: 5).outcomes(of: requests)
    #expect(fused.outcomes == plain)
    let unfused = try pair.loop(.draft, window: 5).outcomes(of: requests)
    #expect(unfused.outcomes == plain)
    #expect(fused.speculation.acceptedTokens * 10 >= unfused.speculation.acceptedTokens * 9)
  }

  @Test("so it is for devices that share the models")
  func sharedModels() throws {
    let (target, draft) = (try directory(1), try directory(1, layers: 1))
    let pair = Pair(target: target.path, draft: draft.path, rows: 8, sequences: 1, partitionCount: 2)
    let requests = Array(Self.requests(vocabularySize: 193, tokens: 16).prefix(2))
    let plain = try pair.loop(.none, window: 0).outcomes(of: requests).outcomes
    #expect(try pair.loop(.fused, window: 5).outcomes(of: requests).outcomes == plain)
  }

  @Test("requests with options that the program does not know are served beside it, and so are their mates")
  func otherOptions() throws {
    let (target, draft) = (try directory(1), try directory(1))
    var requests = Self.requests(vocabularySize: 193, tokens: 12)
    requests[0].logprobCount = 2
    requests[1].sampling.topP = 0.5
    requests[2].sampling.presencePenalty = 1.5
    requests[3].sampling.logitBias = [5: 4]
    requests[4].window = 0
    let pair = Pair(target: target.path, draft: draft.path)
    let plain = try pair.loop(.none, window: 0).outcomes(of: requests).outcomes
    let fused = try pair.loop(.fused, window: 5).outcomes(of: requests, stagger: 3)
    #expect(fused.outcomes == plain && fused.speculation.acceptedTokens > 0)
    #expect(plain[0].logprobs.count == 12)
  }

  @Test("plain decoding writes the same tokens whether the device chooses them or the host", arguments: [1, 2])
  func deviceChoices(partitionCount: Int) throws {
    let target = try directory(1)
    var options = try CPUPlugin.options()
    options.partitionCount = partitionCount
    let session = try PJRTSession(options)
    let runner = try PJRTModelRunner(
      session: session, checkpoint: try Checkpoint(directory: target.path),
      configuration: try ModelConfiguration(directory: target.path),
      limits: RunnerLimits(rows: 64, logitRows: 40, sequences: 4, positions: 320))
    var requests = Self.requests(vocabularySize: 193, tokens: 24)
    func outcomes(_ runner: any ModelRunner) throws -> [Outcome] {
      try DecodingLoop(
        runner: runner, tokenizer: try Tokenizer(directory: Places.target), proposer: NoProposer(),
        verifier: CoupledVerifier(), window: 0, sequences: 4, rows: 64
      ).outcomes(of: requests, stagger: 2).outcomes
    }
    let (counter, host) = (ChoiceCounter(runner, chooses: true), ChoiceCounter(runner, chooses: false))
    #expect(try outcomes(counter) == outcomes(host))
    #expect(counter.passes > 30 && host.passes == 0)
    requests[0].logprobCount = 2
    requests[1].sampling.topP = 0.5
    requests[3].sampling.logitBias = [5: 4]
    #expect(try outcomes(counter) == outcomes(host))
  }

  @Test("a window that does not fit into a pass is refused with the rows that it takes")
  func refusal() throws {
    let model = try directory(1)
    let error = #expect(throws: RunnerError.self) {
      try Pair(target: model.path, draft: model.path, rows: 16).loop(.fused, window: 4)
    }
    #expect(error?.description.contains("--pjrt-rows 20 or more") == true)
  }
}
