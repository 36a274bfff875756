import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing
import Transformer

/// Layers that see a window, and Gemma's.
@Suite struct WindowTests {
  @Test("logits are those of transformers, past windows and chunks", arguments: ForwardCase.windowed)
  func logits(example: ForwardCase) throws { try ReferenceTests().logits(example: example) }

  @Test("greedy continuations are those of transformers", arguments: ForwardCase.windowed)
  func continuation(example: ForwardCase) throws { try ReferenceTests().continuation(example: example) }

  @Test("rotary frequencies are those of transformers", arguments: ForwardCase.windowed)
  func frequencies(example: ForwardCase) throws { try ReferenceTests().frequencies(example: example) }

  @Test(
    "a converted checkpoint has the same logits to the bit",
    // Such files do not say where gates are clamped.
    arguments: ForwardCase.windowed.filter { !["gemma3-odd", "gptoss-mxfp4"].contains($0.name) })
  func conversion(example: ForwardCase) throws {
    let expected = try ForwardReference(example.expected)
    let directory = try TemporaryDirectory()
    try directory.write(try GGUFModel.writer(of: example.directory, as: .float32).data, to: "m.gguf")
    let tests = GGUFModelTests()
    #expect(
      try tests.logits(directory.path + "/m.gguf", prompt: expected.prompt)
        == tests.logits(example.directory, prompt: expected.prompt))
  }

  /// A runner that keeps all that layers with a window ever saw, or what they still see in blocks of their own.
  func runner(_ example: ForwardCase, windowBlocks: Int? = nil, threads: Int = 2) throws -> CPUModelRunner {
    var limits = RunnerLimits(rows: 64, logitRows: 64, positions: 400)
    limits.windowBlocks = windowBlocks
    return try CPUModelRunner(
      checkpoint: Checkpoint(directory: example.directory),
      configuration: ModelConfiguration(directory: example.directory), limits: limits,
      pool: WorkerPool(threadCount: threads))
  }

  @Test(
    "with blocks of their own, reused behind the window, layers compute the same to the bit, whatever the chunks",
    arguments: ForwardCase.windowed.filter { $0.name != "mistral-full" }, [1, 7, 15, 16, 17, 33])
  func reusedBlocks(example: ForwardCase, chunk: Int) throws {
    let expected = try ForwardReference(example.expected)
    let text = expected.prompt + expected.continuation
    let whole = try runner(example)
    let window = try #require(whole.configuration.largestWindow)
    var wanted: [[Float]] = []
    try ReferenceTests().prefill(whole, text) { _, logits in wanted.append(logits) }
    // Blocks for what a chunk sees, and no more: each is taken again as soon as no row sees it.
    let count = (window - 1 + chunk + 15) / 16 + 1
    let tight = try runner(example, windowBlocks: count, threads: 1)
    #expect(tight.capacity.windows == WindowCapacity(window: window, blockCount: count))
    #expect(tight.memory.keyValueCache < whole.memory.keyValueCache)
    let blocks = (0..<Int32(tight.capacity.blockCount)).map { $0 }
    for first in stride(from: 0, to: text.count, by: chunk) {
      let end = min(first + chunk, text.count)
      let firstSeen = max(0, first + 1 - window) / 16
      let windows = (0...(end - 1) / 16).map { $0 < firstSeen ? -1 : Int32($0 % count) }
      var batch = Batch()
      batch.append(text[first..<end], at: first, blocks: blocks, logitCount: end - first, windowBlocks: windows)
      let found = try tight.logits(of: batch)
      for row in first..<end { #expect(found.row(row - first) == wanted[row], "at \(row)") }
    }
  }

  @Test("blocks of layers with a window are asked for as far as rows see them, and by name")
  func refusals() throws {
    let example = try #require(ForwardCase.windowed.first { $0.name == "gemma3" })
    let runner = try runner(example, windowBlocks: 3)
    func message(_ blocks: [Int32]) -> String {
      var batch = Batch()
      batch.append([1, 2], at: 40, blocks: [0, 1, 2], logitCount: 1, windowBlocks: blocks)
      return #expect(throws: RunnerError.self) { try runner.logits(of: batch) }?.description ?? ""
    }
    #expect(message([]).contains("position 42; its 0 blocks of 16 for layers with a window"))
    #expect(message([-1, -1, 0]).contains("KV block -1 of layers with a window"))
    #expect(message([-1, 1, 3]).contains("KV block 3 of layers with a window does not exist; there are 3"))
    var batch = Batch()
    batch.append([1, 2], at: 40, blocks: [0, 1, 2], logitCount: 1, windowBlocks: [-1, 2, 0])
    #expect(throws: Never.self) { try runner.logits(of: batch) }
  }

  @Test("a sink takes its share of a row's attention, and a cap bends scores, as their formulas say")
  func sinksAndCaps() throws {
    let (heads, size, rows) = (4, 16, 21)
    var generator = SeededGenerator(seed: 5)
    let pool = WorkerPool(threadCount: 2)
    let operations = try TensorOperations(pool: pool, rowCapacity: rows, columnCapacity: 2 * heads * size)
    let storage = try KVStorage(layerCount: 1, blockCount: 2, kvHeadCount: 2, headSize: size)
    let input = try Activations(rowCapacity: rows, columns: (heads + 4) * size)
    let angles = try Activations(rowCapacity: rows, columns: size / 2)
    let zeros = try Activations(rowCapacity: rows, columns: size / 2)
    for row in 0..<rows {
      // Halves, which the cache keeps as they are.
      input.setRow(
        row, to: (0..<(heads + 4) * size).map { _ in Float(Int.random(in: -64...64, using: &generator)) / 32 })
      angles.setRow(row, to: Array(repeating: 1, count: size / 2))
      zeros.setRow(row, to: Array(repeating: 0, count: size / 2))
    }
    let slices = [AttentionSlice(firstRow: 0, rowCount: rows, firstPosition: 0, blocks: [1, 0])]
    operations.normRotateStore(
      input, rowCount: rows, headCount: heads, kvHeadCount: 2, headSize: size, queryNorm: nil, keyNorm: nil, epsilon: 0,
      cos: angles, sin: zeros, slices: slices, storage: storage, layer: 0)
    let (sinks, window, scale): ([Float], Int, Float) = ([1.5, -0.5, 3, 0], 9, 0.25)
    for cap in [nil, Float(2)] {
      let output = try Activations(rowCapacity: rows, columns: heads * size)
      operations.attention(
        input, headCount: heads, kvHeadCount: 2, headSize: size, scale: scale, cap: cap, sinks: sinks, slices: slices,
        storage: storage, layer: 0, seeing: .causal(window: window), into: output)
      for row in 0..<rows {
        for head in 0..<heads {
          func part(_ of: Int, _ place: Int) -> ArraySlice<Float> { input.row(of)[place * size..<(place + 1) * size] }
          let seen = max(0, row + 1 - window)...row
          let scores = seen.map { position in
            let product = zip(part(row, head), part(position, heads + head / 2)).reduce(0) { $0 + Double($1.0 * $1.1) }
            let score = product * Double(scale)
            return cap.map { Double($0) * tanh(score / Double($0)) } ?? score
          }
          let sum = scores.reduce(exp(Double(sinks[head]))) { $0 + exp($1) }
          for channel in 0..<size {
            let wanted = zip(seen, scores).reduce(0.0) {
              $0 + exp($1.1) / sum * Double(part($1.0, heads + 2 + head / 2)[(heads + 2 + head / 2) * size + channel])
            }
            #expect(abs(Double(output.row(row)[head * size + channel]) - wanted) < 1e-5)
          }
        }
      }
    }
  }
}
