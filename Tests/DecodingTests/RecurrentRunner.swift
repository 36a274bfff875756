import Decoding
import Tensor
import Tokenization
import Transformer

/// A model that is nothing but a recurrent state: what follows depends on every token so far, and on nothing else.
///
/// It refuses to go on from a state that belongs to another position, and loses what a pass is to write before it reads.
final class RecurrentRunner: ModelRunner {
  static let vocabularySize = 48

  /// What has been seen of a sequence.
  struct State: Equatable {
    var position = 0
    var hash: UInt64 = 0x243F_6A88_85A3_08D3

    mutating func see(_ token: Int32) {
      position += 1
      hash = (hash ^ UInt64(UInt32(bitPattern: token))) &* 0x9E37_79B9_7F4A_7C15
      hash ^= hash >> 29
    }

    /// Pseudo-random, with few tokens far ahead of the others.
    var logits: [Float] {
      var bits = hash | 1
      return (0..<RecurrentRunner.vocabularySize).map { _ in
        bits = bits &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(bits >> 40) / Float(1 << 21)
      }
    }

    /// The token of the largest logit.
    var likeliest: Int32 {
      let logits = logits
      return Int32(logits.indices.max { logits[$0] < logits[$1] } ?? 0)
    }
  }

  let capacity: RunnerCapacity
  private var slots: [State?]
  private let logits: Activations

  init(rows: Int, blocks: Int, stateSlots: Int) throws {
    capacity = RunnerCapacity(
      rows: rows, logitRows: rows, blockCount: blocks, blockSize: 4, positions: 120, stateSlots: stateSlots)
    slots = Array(repeating: nil, count: stateSlots)
    logits = try Activations(rowCapacity: rows, columns: Self.vocabularySize)
  }

  var vocabularySize: Int { Self.vocabularySize }
  var memory: RunnerMemory { RunnerMemory(packedWeights: 0, keyValueCache: 0) }
  var cacheKey: String? { nil }

  func run(_ pass: Pass) throws(RunnerError) -> PassResult {
    try pass.check(against: capacity, vocabularySize: vocabularySize, choosing: choosing)
    let kept = pass.batch.slices.flatMap { $0.states?.kept.map(\.slot) ?? [] }
    guard Set(kept).count == kept.count else { throw RunnerError(description: "a slot is written twice") }
    for slot in kept { slots[Int(slot)] = nil }
    var wanted = pass.batch.logitRows[...]
    for slice in pass.batch.slices {
      var state = State()
      if let start = slice.states?.start {
        guard let found = slots[Int(start)], found.position == slice.firstPosition else {
          throw RunnerError(description: "no state of position \(slice.firstPosition) in slot \(start)")
        }
        state = found
      }
      for row in 0..<slice.rowCount {
        state.see(pass.batch.tokens[slice.firstRow + row])
        for entry in slice.states?.kept ?? [] where entry.row == row { slots[Int(entry.slot)] = state }
        guard wanted.first == slice.firstRow + row else { continue }
        logits.setRow(pass.batch.logitRows.count - wanted.count, to: state.logits)
        wanted.removeFirst()
      }
    }
    return PassResult(logits: logits)
  }
}

/// Guesses that are often right, and keeps by position, in blocks parallel to the target's, what a head would: each
/// token, and the one after it.
final class ParallelGuesser: Proposer {
  private struct Entry: Equatable {
    var token, next: Int32?
  }

  private var memory: [[Entry]]
  private let blockSize: Int
  private var random: UInt64 = 1
  /// Positions that were not as they should be.
  private(set) var faults: [String] = []

  init(blocks: Int, blockSize: Int) {
    memory = Array(repeating: Array(repeating: Entry(), count: blockSize), count: blocks)
    self.blockSize = blockSize
  }

  func process(_ pass: TargetPass) {
    for share in pass.shares {
      for row in 0..<share.kept {
        let position = share.firstPosition + row
        let next = row + 1 < share.kept ? share.tokens[row + 1] : share.next
        memory[Int(share.blocks[position / blockSize])][position % blockSize] = Entry(
          token: share.tokens[row], next: next)
      }
    }
  }

  func propose(for contexts: [ProposalContext], in pass: PassOutline) -> [Proposal] {
    contexts.map { context in
      var state = RecurrentRunner.State()
      for (position, token) in context.tokens.enumerated() {
        state.see(token)
        guard position + 1 < context.tokens.count, position < context.computedCount else { continue }
        let entry = memory[Int(context.blocks[position / blockSize])][position % blockSize]
        // The end of a block that is shared may have been followed by something else.
        let isEnd = position % blockSize == blockSize - 1
        if entry.token != token || (!isEnd && entry.next != context.tokens[position + 1]) {
          faults.append("request \(context.request.number), position \(position): \(entry)")
        }
      }
      var tokens: [Int32] = []
      for _ in 0..<context.window {
        random = random &* 6_364_136_223_846_793_005 &+ 1
        tokens.append(random >> 60 < 12 ? state.likeliest : Int32(random >> 40) % 48)
        state.see(tokens[tokens.count - 1])
      }
      return Proposal(tokens: tokens, origin: .draftModel)
    }
  }

  func forget(_ request: RequestID) {}
}
