import Decoding
import Foundation
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

/// Whether the CPU plugin is here; `make pjrt-plugin` fetches it.
enum CPUPlugin {
  static let location: PJRTPluginLocation? = {
    let fetched = Places.root.appendingPathComponent(".build/pjrt").path
    let environment = ProcessInfo.processInfo.environment.merging(["FORETOKEN_PJRT_PLUGIN_DIR": fetched]) { $1 }
    let found = try? PJRTPluginLocation("cpu", environment: environment)
    if found == nil { print("No PJRT CPU plugin (make pjrt-plugin): what needs it is not tested.") }
    return found
  }()

  static func options() throws -> PJRTOptions { PJRTOptions(plugin: try #require(location).path) }
}

@Suite(.enabled(if: CPUPlugin.location != nil)) struct PJRTRunnerTests {
  /// Programs have no experts.
  static let cases = (ForwardCase.random + ForwardCase.windowed + ForwardCase.pair).filter {
    (try? ModelConfiguration(directory: $0.directory))?.experts == nil
  }
  static let models = cases.map(\.directory)

  /// Largest difference from the CPU engine, which rounds keys, values and activations to bf16.
  static let tolerance: Float = 4e-2

  /// Largest difference from `transformers`, which computes in single precision; its logits are kept to five digits.
  ///
  /// In bf16 every product's input is rounded, so that what is lost grows with the logits' standard deviation.
  static func tolerance(_ element: PJRTOptions.Element, _ logits: [[Float]]) -> Float {
    guard element == .bfloat16 else { return 6e-4 }
    let all = logits.joined()
    let mean = all.reduce(0, +) / Float(all.count)
    return 0.06 * (all.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(all.count)).squareRoot()
  }

  @Test(
    "logits and greedy continuations are those of transformers",
    arguments: cases, [PJRTOptions.Element.float32, .bfloat16])
  func transformers(example: ForwardCase, element: PJRTOptions.Element) throws {
    let expected = try ForwardReference(example.expected)
    let checkpoint = try Checkpoint(directory: example.directory)
    var options = try CPUPlugin.options()
    (options.element, options.rowBuckets) = (element, [64])
    let runner = try PJRTModelRunner(
      session: try PJRTSession(options), checkpoint: checkpoint,
      configuration: try ModelConfiguration(directory: example.directory),
      limits: RunnerLimits(rows: 400, logitRows: 400, positions: 400))
    let blocks = Array(0..<Int32(runner.capacity.blockCount))
    // The prompt and how it goes on, all at once: each position tells about the next.
    let text = expected.prompt + expected.continuation
    var batch = Batch()
    batch.append(text, at: 0, blocks: blocks, logitCount: text.count)
    let found = try runner.logits(of: batch)
    var worst: Float = 0
    for (position, logits) in zip(expected.positions, expected.logits) {
      for (value, wanted) in zip(found.row(position), logits) { worst = max(worst, abs(value - wanted)) }
    }
    let tolerance = Self.tolerance(element, expected.logits)
    #expect(worst < tolerance, "largest difference \(worst)")
    for (index, (next, margin)) in zip(expected.continuation, expected.margins).enumerated()
    where margin > 2 * tolerance {
      #expect(found.argmax(row: expected.prompt.count + index - 1) == Int(next), "token \(index)")
    }
  }

  @Test("logits are those of the CPU engine, and so is the likeliest token where it is clear", arguments: models)
  func logits(directory: String) throws {
    let checkpoint = try Checkpoint(directory: directory)
    let configuration = try ModelConfiguration(directory: directory)
    let limits = RunnerLimits(rows: 64, logitRows: 64, positions: min(400, configuration.maximumPosition))
    let device = try PJRTModelRunner(
      session: try PJRTSession(try CPUPlugin.options()), checkpoint: checkpoint, configuration: configuration,
      limits: limits)
    let cpu = try CPUModelRunner(
      checkpoint: checkpoint, configuration: configuration, limits: limits, pool: WorkerPool(threadCount: 2))
    var generator = SeededGenerator(seed: 3)
    let tokens = (0..<50).map { _ in Int32.random(in: 0..<Int32(configuration.vocabularySize), using: &generator) }
    var batch = Batch()
    batch.append(tokens, at: 0, blocks: Array(0..<Int32(device.capacity.blockCount)), logitCount: tokens.count)
    let taps = Taps(layers: Array(0...configuration.layerCount), rows: [0, 30, 49])
    let (results, references) = (
      try device.run(Pass(batch, taps: taps)), try cpu.run(Pass(batch, taps: taps))
    )
    for (stream, reference) in zip(results.taps, references.taps) {
      for row in taps.rows.indices {
        let (left, right) = (stream.row(row), reference.row(row))
        let size = right.reduce(0) { max($0, abs($1)) }
        for (a, b) in zip(left, right) { #expect(abs(a - b) <= 1e-2 * size) }
      }
    }
    let (found, expected) = (try #require(results.logits), try #require(references.logits))
    var worst: Float = 0
    for row in tokens.indices {
      let (left, right) = (found.row(row), expected.row(row))
      for (a, b) in zip(left, right) { worst = max(worst, abs(a - b)) }
      let sorted = right.sorted(by: >)
      if sorted[0] - sorted[1] > 2 * Self.tolerance { #expect(found.argmax(row: row) == expected.argmax(row: row)) }
    }
    #expect(worst < Self.tolerance, "largest difference \(worst)")
  }

  @Test("models shared by 2 and 4 devices give the logits of one device", arguments: [2, 4])
  func tensorParallel(partitionCount: Int) throws {
    let directory = try TemporaryDirectory()
    var model = RandomModel(seed: 5)
    (model.headCount, model.kvHeadCount) = (8, 4)
    try model.write(to: directory)
    func logits(_ partitionCount: Int) throws -> [[Float]] {
      var options = try CPUPlugin.options()
      options.partitionCount = partitionCount
      let runner = try PJRTModelRunner(
        session: try PJRTSession(options), checkpoint: try Checkpoint(directory: directory.path),
        configuration: try ModelConfiguration(directory: directory.path),
        limits: RunnerLimits(rows: 32, logitRows: 32, positions: 64))
      var batch = Batch()
      batch.append((0..<30).map { $0 * 6 }, at: 0, blocks: [3, 1, 0, 2], logitCount: 30)
      let found = try runner.logits(of: batch)
      return (0..<30).map { found.row($0) }
    }
    let (one, several) = (try logits(1), try logits(partitionCount))
    var worst: Float = 0
    for (left, right) in zip(one, several) { for (a, b) in zip(left, right) { worst = max(worst, abs(a - b)) } }
    #expect(worst < 1e-3, "largest difference \(worst)")
    #expect(one[29].contains { abs($0) > 0.1 })
  }

  @Test("a row's logits are the same bits alone, in chunks and beside other sequences")
  func rowsAreInvariant() throws {
    let checkpoint = try Checkpoint(directory: Places.target)
    let configuration = try ModelConfiguration(directory: Places.target)
    let runner = try PJRTModelRunner(
      session: try PJRTSession(try CPUPlugin.options()), checkpoint: checkpoint, configuration: configuration,
      limits: RunnerLimits(rows: 64, logitRows: 64, sequences: 4, positions: 300))
    let perSequence = Int32((300 + runner.capacity.blockSize - 1) / runner.capacity.blockSize)
    func tokens(_ seed: UInt64) -> [Int32] {
      var generator = SeededGenerator(seed: seed)
      return (0..<290).map { _ in Int32.random(in: 0..<Int32(configuration.vocabularySize), using: &generator) }
    }
    func read(_ pieces: [Int], mates: Int) throws -> [[Float]] {
      var rows: [[Float]] = []
      var first = 0
      for count in pieces {
        var batch = Batch()
        for sequence in 0...mates {
          let blocks = Array(Int32(sequence) * perSequence..<Int32(sequence + 1) * perSequence)
          // The sequence that is looked at is the last of the batch, so that it has other lanes than alone.
          let seed = UInt64(sequence == mates ? 0 : sequence + 1)
          batch.append(tokens(seed)[first..<first + count], at: first, blocks: blocks, logitCount: count)
        }
        let logits = try runner.logits(of: batch)
        rows += (0..<count).map { logits.row(mates * count + $0) }
        first += count
      }
      return rows
    }
    let alone = try read(Array(repeating: 1, count: 290), mates: 0)
    #expect(try read([64, 64, 64, 64, 34], mates: 0) == alone)
    #expect(try read([7] + Array(repeating: 5, count: 56) + [3], mates: 0) == alone)
    #expect(try read(Array(repeating: 10, count: 29), mates: 3) == alone)
  }

  @Test("the stream is the same with and without speculation, alone and in batches")
  func streams() throws {
    let options = try CPUPlugin.options()
    let tokenizer = try Tokenizer(directory: Places.target)
    let session = try PJRTSession(options)
    func runner(_ directory: String, _ sequences: Int) throws -> PJRTModelRunner {
      try PJRTModelRunner(
        session: session, checkpoint: try Checkpoint(directory: directory),
        configuration: try ModelConfiguration(directory: directory),
        limits: RunnerLimits(rows: 32, logitRows: 32, sequences: 4, positions: 320))
    }
    func outcomes(window: Int, sequences: Int, rows: Int) throws -> ([Outcome], SpeculationCounts) {
      let target = try runner(Places.target, sequences)
      let proposer: any Proposer =
        window == 0
        ? NoProposer()
        : DraftModelProposer(runner: try runner(Places.draft, sequences), vocabularySize: target.vocabularySize)
      let loop = DecodingLoop(
        runner: target, tokenizer: tokenizer, proposer: proposer, verifier: CoupledVerifier(), window: window,
        sequences: sequences, rows: rows)
      let requests = ["Count from 1 to 21.", "Write a story that begins at the old harbour."].flatMap { prompt in
        [0.0, 0.8].map { temperature in
          var request = GenerationRequest(
            prompt: tokenizer.encode("<|im_start|>user\n\(prompt)<|im_end|>\n<|im_start|>assistant\n"))
          request.sampling.temperature = temperature
          request.stopping.maximumTokens = 40
          request.logprobCount = 1
          return request
        }
      }
      return try loop.outcomes(of: requests)
    }
    let plain = try outcomes(window: 0, sequences: 1, rows: 32).0
    for (window, sequences, rows) in [(0, 4, 13), (3, 1, 32), (6, 4, 32)] {
      let (found, counts) = try outcomes(window: window, sequences: sequences, rows: rows)
      #expect(found == plain, "window \(window), \(sequences) sequences, \(rows) rows")
      #expect(window == 0 || counts.acceptedTokens > 0)
    }
  }
}
