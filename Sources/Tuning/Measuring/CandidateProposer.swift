package import Decoding
internal import Inference
internal import LoadTesting
internal import Measurement
internal import Speculation
internal import Synchronization
package import Tokenization

/// How the requests of a run are speculated for.
package struct Speculating: Sendable, Equatable {
  /// `nil` for plain decoding.
  package var method: SpeculationMethod?
  /// The draft's place in the list.
  package var draft: Int?
  /// Whether the window is drawn anew in every step, from 0 to the request's; without a draft the proposals are nonsense
  /// then, and only the target's passes can be learnt from.
  package private(set) var drawsWindows = false

  package init(_ method: SpeculationMethod?, draft: Int? = nil) { (self.method, self.draft) = (method, draft) }

  package static let plain = Speculating(nil)

  /// What tells the cost of passes, and where a draft is right.
  package static func calibration(draft: Int?) -> Speculating {
    var calibration = Speculating(.draftModel, draft: draft)
    calibration.drawsWindows = true
    return calibration
  }
}

/// What is known of one answer's proposals: whether the draft's token at each output position was right.
package struct DraftOutcomes: Sendable, Equatable {
  /// By output position; `nil` where nothing was proposed.
  package private(set) var isRight: [Bool?] = []

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

/// Says how a run speculates, from outside of the engine's thread and while it is idle, and keeps what it found.
final class RunSwitch: Sendable {
  private struct State {
    var current = Speculating.plain
    var random = SeededRandom(seed: 0)
    var outcomes: [Int: DraftOutcomes] = [:]
  }

  private let state = Mutex(State())

  func begin(_ speculating: Speculating, seed: UInt64) {
    state.withLock { $0 = State(current: speculating, random: SeededRandom(seed: seed)) }
  }

  var current: Speculating { state.withLock(\.current) }

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
  /// Over each draft a proposer of full windows, and one whose costs are known.
  private let drafts, measured: [any DraftSource]
  /// The adaptive proposers with each draft, and the one without.
  private let adaptive: [AdaptiveProposer]
  private let lookup = TuningEngine.lookup
  private let suffix = TuningEngine.suffix
  private let selection: RunSwitch
  private let log: StepLog
  /// Requests that have asked for proposals and not ended.
  private var active: Set<RequestID> = []
  private var proposed: [RequestID: (tokens: [TokenID], position: Int)] = [:]

  init(drafts: [any DraftSource], measured: [any DraftSource], selection: RunSwitch, log: StepLog) {
    (self.drafts, self.measured, self.selection, self.log) = (drafts, measured, selection, log)
    adaptive =
      measured.map { AdaptiveProposer(free: [TuningEngine.suffix], draft: $0) }
      + [AdaptiveProposer(free: [TuningEngine.suffix], draft: nil)]
  }

  var taps: [Int] { Set(drafts.flatMap(\.taps)).sorted() }

  /// Those with costs are over the same models.
  func process(_ pass: TargetPass) throws { for draft in drafts { try draft.process(pass) } }

  func propose(for contexts: [ProposalContext], in pass: PassOutline) throws -> [Proposal] {
    for context in contexts { active.insert(context.request) }
    let current = selection.current
    if current.drawsWindows { return try calibrate(current.draft, contexts, pass) }
    switch current.method {
    case nil: return contexts.map { _ in Proposal(origin: .target) }
    case .draftModel, .eagle3, .dflash, .mtp: return try drafts[current.draft ?? 0].propose(for: contexts, in: pass)
    case .ngram: return lookup.propose(for: contexts, in: pass)
    case .suffix: return suffix.propose(for: contexts, in: pass)
    case .automatic: return try adaptive[current.draft ?? drafts.count].propose(for: contexts, in: pass)
    }
  }

  private func calibrate(
    _ index: Int?, _ contexts: [ProposalContext], _ pass: PassOutline
  ) throws -> [Proposal] {
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

  func observe(_ verdicts: [Verdict]) {
    log.addVerdicts(texts: verdicts.count, tokens: verdicts.reduce(0) { $0 + $1.tokens.count })
    let current = selection.current
    if current.method == .automatic { adaptive[current.draft ?? drafts.count].observe(verdicts) }
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
    active.remove(request)
    // A run is to read its own prompts, and both proposers over a draft write in its memory.
    if active.isEmpty { for draft in drafts + measured { draft.reset() } }
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
