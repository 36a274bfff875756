import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing
import Transformer

@Suite struct ReferenceTests {
  /// Largest difference of a logit that the promise allows.
  static let tolerance: Float = 2e-2

  func runner(_ directory: String, quantization: Quantization = .none) throws -> CPUModelRunner {
    try CPUModelRunner(
      checkpoint: Checkpoint(directory: directory), configuration: ModelConfiguration(directory: directory),
      quantization: quantization, limits: RunnerLimits(rows: 64, logitRows: 64, positions: 400),
      pool: WorkerPool(threadCount: 2))
  }

  /// Logits of every position of the prompt, read in chunks of 64.
  func prefill(_ runner: CPUModelRunner, _ tokens: [Int32], each: (Int, [Float]) -> Void) throws {
    let blocks = (0..<Int32(runner.capacity.blockCount)).map { $0 }
    for first in stride(from: 0, to: tokens.count, by: 64) {
      let chunk = tokens[first..<min(first + 64, tokens.count)]
      var batch = Batch()
      batch.append(chunk, at: first, blocks: blocks, logitCount: chunk.count)
      let logits = try runner.logits(of: batch)
      for row in 0..<chunk.count { each(first + row, logits.row(row)) }
    }
  }

  @Test("logits are those of transformers", arguments: ForwardCase.random + ForwardCase.pair)
  func logits(example: ForwardCase) throws {
    let expected = try ForwardReference(example.expected)
    let runner = try runner(example.directory)
    var worst: Float = 0
    try prefill(runner, expected.prompt) { position, found in
      guard let place = expected.positions.firstIndex(of: position) else { return }
      for (value, wanted) in zip(found, expected.logits[place]) { worst = max(worst, abs(value - wanted)) }
    }
    #expect(worst < Self.tolerance, "largest difference \(worst)")
  }

  @Test("the likeliest token is transformers' at 99.5 % of all positions")
  func likeliestTokens() throws {
    var (agreeing, count) = (0, 0)
    for example in ForwardCase.random + ForwardCase.pair {
      let expected = try ForwardReference(example.expected)
      try prefill(try runner(example.directory), expected.prompt) { position, found in
        count += 1
        if found.indices.max(by: { found[$0] < found[$1] }) == expected.argmax[position] { agreeing += 1 }
      }
    }
    #expect(Double(agreeing) >= 0.995 * Double(count), "\(agreeing) of \(count)")
  }

  @Test("greedy continuations are those of transformers", arguments: ForwardCase.random + ForwardCase.pair)
  func continuation(example: ForwardCase) throws {
    let expected = try ForwardReference(example.expected)
    let runner = try runner(example.directory)
    let blocks = (0..<Int32(runner.capacity.blockCount)).map { $0 }
    try prefill(runner, Array(expected.prompt.dropLast())) { _, _ in }
    var (token, position) = (expected.prompt[expected.prompt.count - 1], expected.prompt.count - 1)
    for (next, margin) in zip(expected.continuation, expected.margins) {
      var batch = Batch()
      batch.append([token], at: position, blocks: blocks, logitCount: 1)
      let found = try runner.logits(of: batch).argmax(row: 0)
      // Where two tokens are as good as equal either may come first; the reference's choice is followed.
      if margin > 2 * Self.tolerance { #expect(found == Int(next), "at position \(position + 1)") }
      (token, position) = (next, position + 1)
    }
  }

  @Test("rotary frequencies are those of transformers", arguments: ForwardCase.random)
  func frequencies(example: ForwardCase) throws {
    let expected = try ForwardReference(example.expected)
    let found = try ModelConfiguration(directory: example.directory).rotaryFrequencies()
    #expect(found.inverseFrequencies.count == expected.inverse_frequencies.count)
    for (value, wanted) in zip(found.inverseFrequencies, expected.inverse_frequencies) {
      #expect(abs(value - wanted) <= 2e-6 * abs(wanted))
    }
    #expect(abs(found.attentionScale - expected.attention_scaling) < 1e-6)
  }

  @Test("quantised weights stay close to bf16 on the pair's own text", arguments: [Quantization.int8, .int4])
  func quantisation(quantization: Quantization) throws {
    let expected = try ForwardReference(ForwardCase.pair[0].expected)
    var agreeing = 0
    try prefill(try runner(Places.target, quantization: quantization), expected.prompt) { position, found in
      if found.indices.max(by: { found[$0] < found[$1] }) == expected.argmax[position] { agreeing += 1 }
    }
    #expect(Double(agreeing) >= (quantization == .int8 ? 0.9 : 0.7) * Double(expected.prompt.count))
  }

  @Test("a batch that does not fit is refused by name")
  func refusals() throws {
    let runner = try runner(ForwardCase.random[0].directory)
    func message(_ build: (inout Batch) -> Void) -> String {
      var batch = Batch()
      build(&batch)
      return #expect(throws: RunnerError.self) { try runner.logits(of: batch) }?.description ?? ""
    }
    #expect(message { _ in }.contains("0 rows"))
    #expect(message { $0.append([5000], at: 0, blocks: [0], logitCount: 1) }.contains("token id 5000"))
    #expect(message { $0.append([1], at: 16, blocks: [0], logitCount: 1) }.contains("position 17"))
    #expect(message { $0.append([1], at: 0, blocks: [9999], logitCount: 1) }.contains("block 9999"))
  }
}
