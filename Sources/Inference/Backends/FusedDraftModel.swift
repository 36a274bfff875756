package import Decoding
package import PJRTTransformer
package import Speculation
internal import Tokenization
package import Transformer

/// A draft model, or a head that drafts token by token, and the target as one program of a device.
///
/// Both a proposer and the target's runner: where all that a pass would compute is requests that go on by one token, and
/// the devices can choose their tokens, proposing runs the program, which verifies as well; the pass that follows has been
/// computed then. Everything else goes to the draft and to the target by themselves, whose K/V memory the program keeps in
/// order.
///
/// A head has read what the target computed when a program ends; the streams of other passes it takes over as ever.
package final class FusedDraftModel: Proposer, ModelRunner {
  private let speculator: PJRTSpeculator
  private let target: PJRTModelRunner
  /// What drafts by itself.
  private let proposer: any DraftSource
  /// What keeps account of the draft's keys and values: the same, or what a head drafts by.
  private let drafting: DraftModelProposer
  /// Whether the last pass was one that a program had computed, and so had its streams taken over.
  private var isTakenOver = false
  /// Seconds that programs have taken so far.
  private var programSeconds = 0.0
  /// Passes that a program had computed.
  package private(set) var fusedPasses = 0
  /// What the last program decided, by the last KV block of the request, which no other request has.
  private var decided: [Int32: Decision] = [:]

  private struct Decision {
    let position: Int
    /// The last known token and what was drafted after it.
    let tokens: [TokenID]
    /// The target's token after each of them.
    let chosen: [TokenID]
  }

  /// - Parameters:
  ///   - speculator: the program.
  ///   - target: the target that the program has.
  ///   - proposer: a proposer around the draft that the program has.
  package init(_ speculator: PJRTSpeculator, target: PJRTModelRunner, proposer: DraftModelProposer) {
    (self.speculator, self.target, self.proposer, drafting) = (speculator, target, proposer, proposer)
  }

  /// - Parameter head: a proposer around the head that the program has.
  /// - Throws: `RunnerError` for a head that proposes a block at once.
  package init(_ speculator: PJRTSpeculator, target: PJRTModelRunner, head: HeadProposer) throws(RunnerError) {
    guard let drafting = head.stepwise else {
      throw RunnerError(
        description: "a head that proposes blocks has no fused program; expected one that goes token by token")
    }
    (self.speculator, self.target, proposer, self.drafting) = (speculator, target, head, drafting)
  }

  // MARK: - Proposer

  /// What the program drafted for all of them, or what the draft drafts by itself.
  package func propose(for contexts: [ProposalContext], in pass: PassOutline) throws -> [Proposal] {
    decided = [:]
    let all = contexts + pass.unasked
    guard pass.rows == all.count else { return try proposer.propose(for: contexts, in: pass) }
    var lanes: [SpeculationLane] = []
    for context in all {
      guard let choice = context.choice, context.foreseenCount == 0, let token = context.tokens.last,
        speculator.samples || choice.temperature == 0
      else { return try proposer.propose(for: contexts, in: pass) }
      let window = lanes.count < contexts.count ? context.window : 0
      lanes.append(
        SpeculationLane(
          token: token, position: context.tokens.count - 1, window: window, targetBlocks: context.blocks,
          draftBlocks: nil, temperature: choice.temperature, seed: choice.seed, outputPosition: choice.outputPosition))
    }
    // What the draft has yet to read it reads in passes of its own, but for what the program reads first.
    var firstRead = [Int?](repeating: nil, count: all.count)
    for (index, context) in contexts.enumerated() where isComputed(context) {
      guard let first = try drafting.read(context, leaving: 1 + rowsBefore) else { continue }
      lanes[index].draftBlocks = context.blocks
      lanes[index].unread = Array(context.tokens[first...].dropLast())
      firstRead[index] = first
    }
    let started = ContinuousClock.now
    let outcomes = try speculator.run(lanes)
    programSeconds += (ContinuousClock.now - started) / .seconds(1)
    for (index, outcome) in outcomes.enumerated() {
      let context = all[index]
      guard let block = context.blocks.last, let token = context.tokens.last else { continue }
      if let first = firstRead[index] { drafting.note(outcome.drafted, computedFor: context, from: first) }
      decided[block] = Decision(
        position: context.tokens.count - 1, tokens: [token] + outcome.drafted, chosen: outcome.chosen)
    }
    return outcomes.prefix(contexts.count).map { Proposal(tokens: $0.drafted, origin: proposer.origin) }
  }

  /// Known tokens before the last that a program reads: of a head, whose accepted drafts are read again.
  private var rowsBefore: Int { taps.isEmpty ? 0 : speculator.window }

  /// Whether what the draft goes on from is there.
  private func isComputed(_ context: ProposalContext) -> Bool {
    taps.isEmpty || context.computedCount >= context.tokens.count - 1
  }

  /// Layers of the target whose streams the draft reads.
  package var taps: [Int] { proposer.taps }

  /// What a program has not taken over yet.
  package func process(_ pass: TargetPass) throws {
    guard !isTakenOver else { return }
    try proposer.process(pass)
  }

  /// The draft forgets the request.
  package func forget(_ request: RequestID) { proposer.forget(request) }

  /// Seconds of the draft's passes and of programs, which have the target's in them.
  package var passSeconds: Double { proposer.passSeconds + programSeconds }

  // MARK: - ModelRunner

  /// Number of the target's logits.
  package var vocabularySize: Int { target.vocabularySize }
  /// What the target's passes can hold.
  package var capacity: RunnerCapacity { target.capacity }
  /// The target's memory.
  package var memory: RunnerMemory { target.memory }
  /// The target's.
  package var cacheKey: String? { target.cacheKey }
  /// What devices can choose.
  package var choosing: TokenChoosing { target.choosing }

  /// What the program has decided already, or a pass of the target.
  package func run(_ pass: Pass) throws(RunnerError) -> PassResult {
    defer { decided = [:] }
    isTakenOver = false
    guard let tokens = tokens(after: pass) else { return try target.run(pass) }
    fusedPasses += 1
    isTakenOver = true
    return PassResult(tokens: tokens)
  }

  /// The tokens after the rows of a pass that was computed; `nil` where it was not.
  private func tokens(after pass: Pass) -> [TokenID]? {
    // Streams that somebody else wants are on the devices.
    guard !pass.choices.isEmpty, pass.taps.layers == taps else { return nil }
    var tokens: [TokenID] = []
    for slice in pass.batch.slices {
      let rows = slice.firstRow..<slice.firstRow + slice.rowCount
      guard let block = slice.blocks.last, let decision = decided[block], decision.position == slice.firstPosition,
        pass.batch.tokens[rows].elementsEqual(decision.tokens)
      else { return nil }
      tokens += decision.chosen
    }
    return tokens
  }
}
