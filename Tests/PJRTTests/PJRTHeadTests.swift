import Decoding
import Inference
import ModelFiles
import PJRT
import PJRTTransformer
import Speculation
import Tensor
import TestSupport
import Testing
import Tokenization
import Transformer

/// A target and a head on the devices of the CPU plugin.
struct DeviceHead {
  let target: String
  /// `nil` for the head that the target carries.
  var head: String?
  var rows = 8
  var sequences = 1
  var partitionCount = 1

  private var limits: RunnerLimits { RunnerLimits(rows: 64, logitRows: 40, sequences: sequences, positions: 320) }

  var files: Head {
    get throws {
      let container = try openContainer(at: head ?? target)
      return try #require(try container.head() ?? container.carriedHead())
    }
  }

  func runners() throws -> (target: PJRTModelRunner, head: PJRTHeadRunner) {
    var options = try CPUPlugin.options()
    (options.rowBuckets, options.partitionCount) = ([rows], partitionCount)
    let runner = try PJRTModelRunner(
      session: try PJRTSession(options), checkpoint: try Checkpoint(directory: target),
      configuration: try ModelConfiguration(directory: target), limits: limits)
    return (runner, try PJRTHeadRunner(try files, on: runner, limits: limits))
  }

  func pair() throws -> HeadPair {
    let (target, head) = try runners()
    return HeadPair(target: target, head: head)
  }

  /// The same on the processor.
  func cpuPair() throws -> HeadPair {
    let (checkpoint, configuration) = (try Checkpoint(directory: target), try ModelConfiguration(directory: target))
    let pool = WorkerPool(threadCount: 2)
    return HeadPair(
      target: try CPUModelRunner(checkpoint: checkpoint, configuration: configuration, limits: limits, pool: pool),
      head: try CPUHeadRunner(
        try files, target: (configuration, checkpoint), quantization: .none, limits: limits, pool: pool))
  }

  func loop(
    _ guessing: FusedSpeculationTests.Guessing, window: Int = 0, sharesPrefixes: Bool = false
  ) throws -> DecodingLoop {
    let (target, head) = try runners()
    let proposer = HeadProposer(head, runner: head, origin: .eagle3)
    let parts: (runner: any ModelRunner, proposer: any Proposer)
    switch guessing {
    case .none: parts = (target, NoProposer())
    case .draft: parts = (target, proposer)
    case .fused:
      let fused = try FusedDraftModel(
        PJRTSpeculator(target: target, draft: .head(head), window: window), target: target, head: proposer)
      parts = (fused, fused)
    }
    return DecodingLoop(
      runner: parts.runner, tokenizer: try Tokenizer(directory: Places.target), proposer: parts.proposer,
      verifier: CoupledVerifier(), window: window, sequences: sequences, rows: 64, sharesPrefixes: sharesPrefixes)
  }

  static let shipped = DeviceHead(target: Places.target, head: Places.head)

  /// Greedy and drawn answers of the shipped target.
  static func shippedRequests() throws -> [GenerationRequest] {
    let tokenizer = try Tokenizer(directory: Places.target)
    return ["Count from 1 to 21.", "Write a story that begins at the old harbour."].flatMap { prompt in
      [0.0, 0.8].map { temperature in
        var request = GenerationRequest(
          prompt: tokenizer.encode("<|im_start|>user\n\(prompt)<|im_end|>\n<|im_start|>assistant\n"))
        request.sampling.temperature = temperature
        request.stopping.maximumTokens = 40
        return request
      }
    }
  }
}

@Suite(.enabled(if: CPUPlugin.location != nil)) struct PJRTHeadTests {
  /// Heads on targets that programs compute.
  static let cases = HeadCase.all.filter {
    guard let target = try? ModelConfiguration(directory: $0.targetDirectory) else { return false }
    return target.recurrence == nil && target.experts == nil
  }
  static let (blocks, otherBlocks): ([Int32], [Int32]) = ([5, 2, 0, 3], [9, 7, 12, 4])

  func devices(_ example: HeadCase, _ directory: String? = nil) -> DeviceHead {
    DeviceHead(target: example.targetDirectory, head: directory ?? example.directory)
  }

  func check(_ found: [[Float]], _ chain: HeadCase.Chain, _ example: HeadCase) {
    for (step, wanted) in chain.logits.enumerated() {
      let ids = example.draft_ids ?? Array(wanted.indices)
      let worst = zip(ids, wanted).reduce(Float(0)) { max($0, abs(found[step][$1.0] - $1.1)) }
      #expect(worst <= 1e-3, "after \(chain.tokens.count) tokens, step \(step): \(worst)")
      let others = Set(found[step].indices).subtracting(ids)
      #expect(others.allSatisfy { found[step][$0] == -.infinity })
    }
  }

  @Test("every form of EAGLE-3 heads and MTP layers is there")
  func forms() { #expect(Self.cases.count >= 14) }

  @Test("drafts are the reference's, step by step, read at once and in pieces", arguments: cases)
  func chains(example: HeadCase) throws {
    let pair = try devices(example).pair()
    #expect(pair.head.tappedLayers == example.taps)
    for chain in example.chains {
      try pair.read(chain.tokens.dropLast(), at: 0, blocks: Self.blocks)
      let found = try pair.draft(chain.tokens[...], at: 0, blocks: Self.blocks, following: chain.drafted)
      check(found, chain, example)
      let known = chain.tokens.count
      for first in stride(from: 0, to: known - 1, by: 3) {
        try pair.read(chain.tokens[first..<min(first + 3, known - 1)], at: first, blocks: Self.otherBlocks)
      }
      var batch = Batch()
      batch.append(chain.tokens.prefix(2), at: 0, blocks: Self.otherBlocks, logitCount: 0)
      _ = try pair.head.run(Pass(batch))
      let again = try pair.draft(chain.tokens[2...], at: 2, blocks: Self.otherBlocks, following: chain.drafted)
      #expect(again == found, "not the same bits")
    }
    // After a rejection at every place drafts are as if nothing had been rejected.
    let start = try #require(example.chains.first { $0.tokens.count == 11 })
    for chain in example.rejections {
      try pair.read(start.tokens.dropLast(), at: 0, blocks: Self.blocks)
      _ = try pair.draft(start.tokens[...], at: 0, blocks: Self.blocks)
      let kept = start.tokens.count - 1
      try pair.read(chain.tokens[kept..<chain.tokens.count - 1], at: kept, blocks: Self.blocks)
      let found = try pair.draft(
        chain.tokens[(kept + 1)...], at: kept + 1, blocks: Self.blocks, following: chain.drafted)
      check(found, chain, example)
    }
    // A sequence that shares a block goes on from the streams of the other.
    let chain = try #require(example.chains.first { $0.tokens.count == 24 })
    let other = chain.tokens.prefix(16) + [3, 9, 4]
    try pair.read(other.dropLast(), at: 0, blocks: [5, 1])
    _ = try pair.draft(other, at: 0, blocks: [5, 1])
    try pair.read(chain.tokens[16..<23], at: 16, blocks: Self.blocks)
    let found = try pair.draft(chain.tokens[16...], at: 16, blocks: Self.blocks, following: chain.drafted)
    check(found, chain, example)
  }

  @Test("the GGUF spelling of a head drafts as the head does")
  func gguf() throws {
    let example = try #require(Self.cases.first { $0.name == "specforge-plain" })
    let chain = try #require(example.chains.last)
    let pair = try devices(example, example.directory + "/head.gguf").pair()
    try pair.read(chain.tokens.dropLast(), at: 0, blocks: Self.blocks)
    check(try pair.draft(chain.tokens[...], at: 0, blocks: Self.blocks, following: chain.drafted), chain, example)
  }

  @Test("drafts of the shipped head are the CPU's, alone and on two devices", arguments: [1, 2])
  func cpu(partitionCount: Int) throws {
    var devices = DeviceHead.shipped
    devices.partitionCount = partitionCount
    let prompt = try DeviceHead.shippedRequests()[2].prompt
    let blocks = Array(0..<Int32(20))
    func draft(_ pair: HeadPair, following drafted: [Int32]?) throws -> [[Float]] {
      try pair.read(prompt.dropLast(), at: 0, blocks: blocks)
      return try pair.draft(prompt[...], at: 0, blocks: blocks, following: drafted)
    }
    let wanted = try draft(try devices.cpuPair(), following: nil)
    let drafted = wanted.map { row in Int32(row.indices.max { row[$0] < row[$1] } ?? 0) }
    let found = try draft(try devices.pair(), following: drafted)
    for (row, other) in zip(found, wanted) {
      let size = other.reduce(Float(0)) { $1.isFinite ? max($0, abs($1)) : $0 }
      var worst: Float = 0
      for (a, b) in zip(row, other) {
        #expect(a.isFinite == b.isFinite)
        if a.isFinite, b.isFinite { worst = max(worst, abs(a - b)) }
      }
      #expect(worst <= 4e-2 * size, "\(worst) of \(size)")
    }
  }

  @Test("the stream is that of plain decoding, fused and not, whatever the head is worth")
  func streams() throws {
    let (directory, head) = (try TemporaryDirectory(), try TemporaryDirectory())
    var model = RandomModel(seed: 1)
    model.carriesMTP = true
    try model.write(to: directory)
    try model.writeHead(to: head, taps: [0, 1])
    var requests = FusedSpeculationTests.requests(vocabularySize: 193, tokens: 24)
    var devices = DeviceHead(target: directory.path, head: head.path, rows: 32, sequences: 4)
    let plain = try devices.loop(.none).outcomes(of: requests).outcomes
    #expect(plain.map(\.tokens.count) == (0..<6).map { 24 + $0 })
    #expect(try devices.loop(.draft, window: 3, sharesPrefixes: true).outcomes(of: requests).outcomes == plain)
    for window in [1, 7] {
      let fused = try devices.loop(.fused, window: window).outcomes(of: requests, stagger: 2)
      #expect(fused.outcomes == plain, "window \(window)")
    }
    // The layer that the target carries.
    devices.head = nil
    #expect(try devices.loop(.draft, window: 2).outcomes(of: requests, stagger: 1).outcomes == plain)
    #expect(try devices.loop(.fused, window: 3).outcomes(of: requests, stagger: 1).outcomes == plain)
    // Options that the program does not know: these go beside it, and so do their mates.
    requests[0].logprobCount = 2
    requests[1].sampling.topP = 0.5
    requests[4].window = 0
    let others = try devices.loop(.none).outcomes(of: requests).outcomes
    #expect(try devices.loop(.fused, window: 3).outcomes(of: requests, stagger: 3).outcomes == others)
  }

  @Test("so it is for the shipped head, whose drafts are as good in a fused program")
  func shippedHead() throws {
    let requests = try DeviceHead.shippedRequests()
    let plain = try DeviceHead.shipped.loop(.none).outcomes(of: requests).outcomes
    let unfused = try DeviceHead.shipped.loop(.draft, window: 5).outcomes(of: requests)
    #expect(unfused.outcomes == plain)
    #expect(unfused.speculation.acceptedTokens > 60, "\(unfused.speculation)")
    let fused = try DeviceHead.shipped.loop(.fused, window: 5).outcomes(of: requests)
    #expect(fused.outcomes == plain)
    #expect(fused.speculation.acceptedTokens * 10 >= unfused.speculation.acceptedTokens * 9, "\(fused.speculation)")
  }

  @Test("so it is for devices that share the models")
  func sharedModels() throws {
    let (directory, head) = (try TemporaryDirectory(), try TemporaryDirectory())
    try RandomModel(seed: 1).write(to: directory)
    try RandomModel(seed: 1).writeHead(to: head, taps: [0, 1])
    let devices = DeviceHead(target: directory.path, head: head.path, partitionCount: 2)
    let requests = Array(FusedSpeculationTests.requests(vocabularySize: 193, tokens: 16).prefix(2))
    let plain = try devices.loop(.none).outcomes(of: requests).outcomes
    #expect(try devices.loop(.fused, window: 5).outcomes(of: requests).outcomes == plain)
  }
}

@Suite struct PJRTHeadRefusalTests {
  @Test("a DFlash head is refused by name before anything is loaded")
  func blockHead() throws {
    let (directory, head) = (try TemporaryDirectory(), try TemporaryDirectory())
    try RandomModel(seed: 1).write(to: directory)
    try RandomModel(seed: 1).writeBlockHead(to: head)
    let files = try #require(try openContainer(at: head.path).head())
    #expect(HeadPlan.refusal(of: files)?.contains("a DFlash head, which --backend pjrt does not compute") == true)
  }
}
