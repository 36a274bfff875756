internal import Decoding
internal import Inference
internal import Speculation
internal import Synchronization
package import Tokenization

/// How the requests of the next run are to be speculated for.
package enum RunMode: Sendable, Equatable {
  /// No proposals.
  case plain
  /// Always as many proposals as the request's window holds.
  case fixed(ProposerChoice)
  /// The adaptive method with a draft, or with the suffix index alone.
  case automatic(draft: Int?)
  /// A draft whose window is drawn anew in every step, from 0 to the request's; without a draft the proposals are
  /// nonsense, and only the target's passes can be learnt from.
  case calibration(draft: Int?)
}

/// Who proposes.
package enum ProposerChoice: Sendable, Hashable {
  /// A draft model, by its place in the list.
  case draft(Int)
  case ngram
  case suffix
}

/// What is known of one text's proposals: whether the draft's token at each output position was right.
package struct DraftOutcomes: Sendable, Equatable {
  /// By output position; `nil` where nothing was proposed.
  package private(set) var isRight: [Bool?] = []

  /// Nothing known yet.
  package init() {}

  /// Notes a proposal that begins at output position `position` and how the text went on.
  package mutating func record(_ proposed: [TokenID], at position: Int, actual: [TokenID]) {
    for (offset, token) in proposed.enumerated() where offset < actual.count {
      let place = position + offset
      if isRight.count <= place { isRight += Array(repeating: nil, count: place + 1 - isRight.count) }
      isRight[place] = token == actual[offset]
      // After a wrong token the draft continued another text.
      if token != actual[offset] { return }
    }
  }

  /// Adds what another run of the same text found.
  package mutating func merge(_ other: DraftOutcomes) {
    for (place, outcome) in other.isRight.enumerated() {
      if place == isRight.count { isRight.append(nil) }
      if let outcome { isRight[place] = outcome }
    }
  }
}

/// Chooses the mode of a run, from outside of the engine's thread and while it is idle, and reads what it found.
final class RunSwitch: Sendable {
  private struct State {
    var mode = RunMode.plain
    var random = SeededRandom(seed: 0)
    var outcomes: [Int: DraftOutcomes] = [:]
  }

  private let state = Mutex(State())

  /// Begins a run.
  func begin(_ mode: RunMode, seed: UInt64) {
    state.withLock { $0 = State(mode: mode, random: SeededRandom(seed: seed)) }
  }

  /// The mode of the run.
  var mode: RunMode { state.withLock(\.mode) }

  /// A window for the next step of a calibration.
  func drawWindow(upTo most: Int) -> Int { state.withLock { $0.random.next(below: most + 1) } }

  /// Outcomes by the number of the request.
  var outcomes: [Int: DraftOutcomes] { state.withLock(\.outcomes) }

  func record(_ proposed: [TokenID], of request: Int, at position: Int, actual: [TokenID]) {
    state.withLock { $0.outcomes[request, default: DraftOutcomes()].record(proposed, at: position, actual: actual) }
  }
}

/// Every proposer that tuning compares, over one engine.
final class CandidateProposer: Proposer {
  private let drafts: [DraftModelProposer]
  /// The adaptive proposers with each draft, and the one without.
  private let adaptive: [AdaptiveProposer]
  private let lookup: NGramProposer
  private let suffix: SuffixProposer
  private let selection: RunSwitch
  private let log: StepLog
  private var proposed: [RequestID: (tokens: [TokenID], position: Int)] = [:]

  /// - Parameter adaptive: one for every draft in order, then one without.
  init(
    drafts: [DraftModelProposer], adaptive: [AdaptiveProposer], lookup: NGramProposer, suffix: SuffixProposer,
    selection: RunSwitch, log: StepLog
  ) {
    self.drafts = drafts
    self.adaptive = adaptive
    self.lookup = lookup
    self.suffix = suffix
    self.selection = selection
    self.log = log
  }

  func propose(for contexts: [ProposalContext], in pass: PassOutline) throws -> [Proposal] {
    switch selection.mode {
    case .plain: return contexts.map { _ in Proposal(origin: .target) }
    case .fixed(.draft(let index)): return try drafts[index].propose(for: contexts, in: pass)
    case .fixed(.ngram): return lookup.propose(for: contexts, in: pass)
    case .fixed(.suffix): return suffix.propose(for: contexts, in: pass)
    case .automatic(let draft): return try adaptive[draft ?? drafts.count].propose(for: contexts, in: pass)
    case .calibration(let index):
      let window = selection.drawWindow(upTo: contexts.map(\.window).max() ?? 0)
      guard window > 0 else { return contexts.map { _ in Proposal(origin: .draftModel) } }
      let limited = contexts.map { $0.limited(to: window) }
      guard let index else { return limited.map(Self.nonsense) }
      let proposals = try drafts[index].propose(for: limited, in: pass)
      for (context, proposal) in zip(contexts, proposals) {
        proposed[context.request] = (proposal.tokens, context.outputPosition)
      }
      return proposals
    }
  }

  func observe(_ verdicts: [Verdict]) {
    log.addVerdicts(texts: verdicts.count, tokens: verdicts.reduce(0) { $0 + $1.tokens.count })
    if case .automatic(let draft) = selection.mode { adaptive[draft ?? drafts.count].observe(verdicts) }
    for verdict in verdicts {
      guard let offer = proposed.removeValue(forKey: verdict.request) else { continue }
      selection.record(offer.tokens, of: verdict.request.number, at: offer.position, actual: verdict.tokens)
    }
  }

  private static func nonsense(_ context: ProposalContext) -> Proposal {
    Proposal(tokens: Array(repeating: context.tokens.last ?? 0, count: context.window), origin: .draftModel)
  }

  func forget(_ request: RequestID) {
    for draft in drafts { draft.forget(request) }
    for proposer in adaptive { proposer.forget(request) }
    suffix.forget(request)
    proposed[request] = nil
  }
}

extension ProposalContext {
  /// The same with a smaller window.
  fileprivate func limited(to window: Int) -> ProposalContext {
    var limited = self
    limited.window = min(window, self.window)
    return limited
  }
}

extension SeededRandom {
  /// A whole number from 0 to `bound - 1`.
  mutating func next(below bound: Int) -> Int { Int(next() % UInt64(max(bound, 1))) }

  /// From 0 to 1, 1 excluded.
  mutating func nextShare() -> Double { Double(next() >> 11) * 0x1p-53 }
}
