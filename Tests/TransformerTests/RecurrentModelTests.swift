import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing
import Transformer

/// Models with recurrent layers, against what `Tests/Golden/recurrent.py` and `recurrent_experts.py` computed with
/// `transformers`.
@Suite struct RecurrentModelTests {
  /// Largest difference of a logit.
  static let tolerance: Float = 1.9e-3

  static let folder = Places.golden.appendingPathComponent("recurrent")
  static let names = [
    "plain", "equal-heads", "odd-sizes", "nested", "mtp", "mtp/model.gguf", "moe", "moe-nested", "moe/model.gguf",
    "next", "next/model.gguf", "next-dense-layers",
  ]

  static func reference(_ name: String) throws -> ForwardReference {
    let place = folder.appendingPathComponent(name.replacingOccurrences(of: "/model.gguf", with: ""))
    return try ForwardReference(place.appendingPathComponent("expected.json"))
  }

  static func runner(
    _ name: String, threads: Int = 2, quantization: Quantization = .none, instructionSet: InstructionSet? = nil
  ) throws -> CPUModelRunner {
    let directory = folder.appendingPathComponent(name).path
    var limits = RunnerLimits(rows: 128, logitRows: 128, positions: 192)
    // The state after a position lies in the slot of its number.
    limits.stateSlots = limits.positions
    return try CPUModelRunner(
      checkpoint: Checkpoint(directory: directory), configuration: ModelConfiguration(directory: directory),
      quantization: quantization, limits: limits, pool: WorkerPool(threadCount: threads),
      instructionSet: instructionSet)
  }

  /// Logits of `tokens` from position `first` on, with the states after all of them or after the last alone.
  static func read(
    _ runner: CPUModelRunner, _ tokens: ArraySlice<Int32>, at first: Int, keepingAll: Bool = true
  ) throws -> [[Float]] {
    var batch = Batch()
    let kept = (keepingAll ? 0 : tokens.count - 1)..<tokens.count
    batch.append(
      tokens, at: first, blocks: (0..<Int32(runner.capacity.blockCount)).map { $0 }, logitCount: tokens.count,
      states: StatePlan(
        start: first > 0 ? Int32(first - 1) : nil,
        kept: kept.map { StatePlan.Kept(row: $0, slot: Int32(first + $0)) }))
    let logits = try runner.logits(of: batch)
    return (0..<tokens.count).map { logits.row($0) }
  }

  private func likeliest(_ row: [Float]) -> Int { row.indices.max { row[$0] < row[$1] } ?? -1 }

  @Test("logits and greedy continuations are those of transformers", arguments: names)
  func reference(name: String) throws {
    let (expected, runner) = (try Self.reference(name), try Self.runner(name))
    let prompt = expected.prompt
    let found = try Self.read(runner, prompt[...], at: 0, keepingAll: false)
    var worst: Float = 0
    for (place, position) in expected.positions.enumerated() {
      for (value, wanted) in zip(found[position], expected.logits[place]) { worst = max(worst, abs(value - wanted)) }
    }
    #expect(worst < Self.tolerance, "largest difference \(worst)")
    #expect(found.map(likeliest) == expected.argmax)
    var (next, position) = (likeliest(found[prompt.count - 1]), prompt.count)
    for (token, margin) in zip(expected.continuation, expected.margins) {
      #expect(margin > 2 * Self.tolerance, "as good as equal: take another seed")
      #expect(next == Int(token), "at position \(position)")
      next = likeliest(try Self.read(runner, [token], at: position)[0])
      position += 1
    }
  }

  @Test("a position's logits are the same bits in whatever chunks, from whatever state", arguments: names)
  func chunks(name: String) throws {
    let tokens = try Self.reference(name).prompt
    let whole = try Self.read(try Self.runner(name), tokens[...], at: 0)
    for (size, threads, keepsAll) in [(1, 1, true), (2, 2, true), (7, 3, false), (32, 2, false)] {
      let runner = try Self.runner(name, threads: threads)
      var found: [[Float]] = []
      for first in stride(from: 0, to: tokens.count, by: size) {
        let end = min(first + size, tokens.count)
        found += try Self.read(runner, tokens[first..<end], at: first, keepingAll: keepsAll)
      }
      #expect(found == whole, "chunks of \(size), \(threads) threads")
    }
  }

  @Test("after proposals are rejected at any place, the next position is what it would have been", arguments: names)
  func rejections(name: String) throws {
    let tokens = try Self.reference(name).prompt
    let whole = try Self.read(try Self.runner(name), tokens[...], at: 0)
    let (known, window) = (40, 6)
    for accepted in 0...window {
      let runner = try Self.runner(name)
      _ = try Self.read(runner, tokens[..<known], at: 0, keepingAll: false)
      // One known token, proposals of which so many are right, and those that are not.
      var proposed = Array(tokens[known..<known + 1 + window])
      for index in 1 + accepted..<1 + window { proposed[index] = (proposed[index] + 1) % 100 }
      let verified = try Self.read(runner, proposed[...], at: known)
      #expect(verified[...accepted] == whole[known...known + accepted])
      let next = known + 1 + accepted
      #expect(try Self.read(runner, tokens[next..<next + 9], at: next) == Array(whole[next..<next + 9]), "\(accepted)")
    }
  }

  @Test("sequences in one pass do not see each other's states, whatever the kernels")
  func mixture() throws {
    let tokens = try Self.reference("odd-sizes").prompt
    let alone = try Self.read(try Self.runner("odd-sizes", instructionSet: .portable), tokens[..<60], at: 0)
    for set in InstructionSet.available {
      let runner = try Self.runner("odd-sizes", instructionSet: set)
      var batch = Batch()
      let shares = [(0..<20, [0, 1]), (0..<33, [2, 3, 4])]
      for (index, (range, blocks)) in shares.enumerated() {
        batch.append(
          tokens[range], at: 0, blocks: blocks.map { Int32($0) }, logitCount: range.count,
          states: StatePlan(kept: [StatePlan.Kept(row: range.count - 1, slot: Int32(index))]))
      }
      let first = try runner.logits(of: batch)
      #expect((0..<20).allSatisfy { first.row($0) == alone[$0] && first.row(20 + $0) == alone[$0] }, "\(set)")
      // Both go on from a state that they share, as sequences do that found it in the cache.
      var next = Batch()
      for (slot, blocks) in [(2, [0, 1, 5]), (3, [0, 1, 6])] {
        next.append(
          tokens[20..<30], at: 20, blocks: blocks.map { Int32($0) }, logitCount: 10,
          states: StatePlan(start: 0, kept: [StatePlan.Kept(row: 9, slot: Int32(slot))]))
      }
      let second = try runner.logits(of: next)
      #expect(
        (0..<10).allSatisfy { second.row($0) == alone[20 + $0] && second.row(10 + $0) == alone[20 + $0] }, "\(set)")
    }
  }

  @Test("a pass that would overwrite a state that it needs is refused")
  func refusals() throws {
    let runner = try Self.runner("plain")
    func message(_ states: StatePlan?, at position: Int = 16) -> String {
      var batch = Batch()
      batch.append([1, 2], at: position, blocks: [0, 1], logitCount: 0, states: states)
      return #expect(throws: RunnerError.self) { try runner.run(Pass(batch)) }?.description ?? ""
    }
    #expect(message(nil).contains("no plan"))
    #expect(message(StatePlan()).contains("without a state"))
    #expect(message(StatePlan(start: 7, kept: [.init(row: 1, slot: 7)])).contains("state slot 7"))
    #expect(message(StatePlan(start: 7, kept: [.init(row: 1, slot: 500)])).contains("500"))
    #expect(message(StatePlan(start: 7, kept: [.init(row: 1, slot: 3), .init(row: 1, slot: 4)])).contains("twice"))
    #expect(message(StatePlan(start: 7, kept: [.init(row: 2, slot: 3)])).contains("row 2"))
  }

  @Test("random weights have a place for every matrix", arguments: ["plain", "moe", "next-dense-layers"])
  func randomWeights(name: String) throws {
    let configuration = try ModelConfiguration(directory: Self.folder.appendingPathComponent(name).path)
    var limits = RunnerLimits(rows: 16, logitRows: 16, positions: 32)
    limits.stateSlots = limits.positions
    let runner = try CPUModelRunner(
      randomWeightsFor: configuration, quantization: .int4, limits: limits, pool: WorkerPool(threadCount: 1))
    let found = try Self.read(runner, [3, 1, 4], at: 0)
    #expect(found.allSatisfy { $0.allSatisfy(\.isFinite) } && found[0] != found[1])
    #expect((runner.memory.packedExperts > 0) == (configuration.experts != nil))
  }

  @Test(
    "eight bits stay close to the reference, four bits run; what reads channels that stand out is rounded as if they did not",
    arguments: [("plain", 0.8, 0.3), ("moe", 0.85, 0.2), ("next", 0.7, 0.2)])
  func quantisation(name: String, eightBits: Double, fourBits: Double) throws {
    let expected = try Self.reference(name)
    for (quantization, least) in [(Quantization.int8, eightBits), (.int4, fourBits)] {
      let found = try Self.read(
        try Self.runner(name, quantization: quantization), expected.prompt[...], at: 0, keepingAll: false)
      let agreeing = zip(found, expected.argmax).count { likeliest($0) == $1 }
      #expect(Double(agreeing) >= least * Double(found.count), "\(quantization): \(agreeing) of \(found.count)")
    }
  }
}
