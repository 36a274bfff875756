package import Decoding
package import PJRTTransformer
package import Speculation
internal import Tokenization
package import Transformer

/// A draft model and the target as one program of a device.
///
/// Both a proposer and the target's runner: where all that a pass would compute is requests that go on by one token, and
/// the devices can choose their tokens, proposing runs the program, which verifies as well; the pass that follows has been
/// computed then. Everything else goes to the draft and to the target by themselves, whose K/V memory the program keeps in
/// order.
package final class FusedDraftModel: Proposer, ModelRunner {
  private let speculator: PJRTSpeculator
  private let target: PJRTModelRunner
  private let proposer: DraftModelProposer
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
    (self.speculator, self.target, self.proposer) = (speculator, target, proposer)
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
    // What the draft has yet to read it reads in passes of its own.
    for index in contexts.indices where try proposer.readAllButLast(contexts[index]) {
      lanes[index].draftBlocks = contexts[index].blocks
    }
    let started = ContinuousClock.now
    let outcomes = try speculator.run(lanes)
    programSeconds += (ContinuousClock.now - started) / .seconds(1)
    for (context, outcome) in zip(all, outcomes) {
      guard let block = context.blocks.last, let token = context.tokens.last else { continue }
      if !outcome.drafted.isEmpty { proposer.note(outcome.drafted, computedFor: context) }
      decided[block] = Decision(
        position: context.tokens.count - 1, tokens: [token] + outcome.drafted, chosen: outcome.chosen)
    }
    return outcomes.prefix(contexts.count).map { Proposal(tokens: $0.drafted, origin: .draftModel) }
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
    guard let tokens = tokens(after: pass) else { return try target.run(pass) }
    fusedPasses += 1
    return PassResult(tokens: tokens)
  }

  /// The tokens after the rows of a pass that was computed; `nil` where it was not.
  private func tokens(after pass: Pass) -> [TokenID]? {
    guard !pass.choices.isEmpty, pass.taps.layers.isEmpty else { return nil }
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
