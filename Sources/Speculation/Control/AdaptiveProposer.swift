public import Decoding
internal import Tensor
internal import Tokenization

/// Proposes as much as pays and no more, for every sequence and at every step (`"method": "auto"`).
///
/// Free proposers are asked first; the draft model writes where they are silent or unsure, and stops where its next
/// token would not be worth its time. With little to guess, or with many sequences in a batch, nothing is proposed.
public final class AdaptiveProposer: Proposer {
  private let free: [any Proposer]
  private let draft: (any DraftSource)?
  private var freeEstimators: [TokenOrigin: AcceptanceEstimator] = [:]
  private var draftEstimator: AcceptanceEstimator
  private var decisions: [RequestID: SpeculationDecision] = [:]
  private var backoff = ProposalBackoff()
  private var probes = ProbeBudget()
  private var lengths = AnswerLengths()
  /// Steps with proposals since the last one without.
  private var proposing = 0
  /// Tokens of each answer so far.
  private var positions: [RequestID: Int] = [:]
  /// The last step that asked, until its verdicts come.
  private var step: Step?
  private let now: () -> Double
  private let beginStep: () -> (() -> Bool)
  /// What was on offer in the last step, whether it was used or not.
  private var offers: [RequestID: Offer] = [:]

  /// What a step that asked was to cost, in seconds.
  private struct Step {
    /// Proposing without the draft's passes.
    var asking: Double
    /// The draft's passes and the target's.
    var passes: Double
    var plain: Double
    /// Tells whether the step's time says nothing.
    var wasHeldUp: () -> Bool
  }

  private struct Offer {
    /// The best that a free proposer had.
    var free: Proposal
    /// What every free proposer had.
    var all: [Proposal]
    /// What the draft wrote.
    var drafted: Proposal?
  }

  /// Tokens without a draft's proposal after which it may show whether the sequence has changed.
  private static let probeInterval = 24
  /// Steps with proposals after which one goes without: what plain decoding costs is known only from doing it.
  private static let mostProposing = 100
  /// Acceptance of a draft that is as good as they get: what cannot pay with it is not worth a try.
  private static let mostAcceptance = 0.98

  /// A proposer over free ones and a draft, either of which may be absent.
  ///
  /// - Parameters:
  ///   - now: seconds of a clock that never goes back.
  ///   - beginStep: begins a step, and gives what says whether others had the processor meanwhile.
  package init(
    free: [any Proposer], draft: (any DraftSource)?, now: @escaping () -> Double = AdaptiveProposer.uptime,
    beginStep: @escaping () -> (() -> Bool) = AdaptiveProposer.timer
  ) {
    self.free = free
    self.beginStep = beginStep
    self.now = now
    self.draft = draft
    // Whether to ask for a block is decided before any of its tokens is known, by a power of this estimate: a few unlucky
    // blocks must not silence a head that is worth having.
    draftEstimator = AcceptanceEstimator(
      prior: 0.7, sharedWeight: draft?.passes ?? .eachToken == .eachToken ? 3 : 10)
  }

  /// Watches over this thread's processor.
  package static func timer() -> (() -> Bool) {
    let timer = PassTimer()
    return { timer.wasHeldUp }
  }

  private static let start = ContinuousClock.now

  /// Seconds since the first call.
  package static func uptime() -> Double { (ContinuousClock.now - start) / .seconds(1) }

  /// What the draft wants.
  public var taps: [Int] { draft?.taps ?? [] }

  /// Everyone sees the pass.
  public func process(_ pass: TargetPass) throws {
    for proposer in free { try proposer.process(pass) }
    try draft?.process(pass)
  }

  /// The proposals that are expected to give the batch the most tokens per second.
  public func propose(for contexts: [ProposalContext], in pass: PassOutline) throws -> [Proposal] {
    guard !backoff.isDue(for: contexts.count) else { return contexts.map { _ in Proposal(origin: .target) } }
    let (began, drafted, wasHeldUp) = (now(), passSeconds, beginStep())
    let planner = WindowPlanner(
      target: pass.costs, draft: (draft?.costs ?? PassCosts()).scaled(by: pass.costs.drift),
      passes: draft?.passes ?? .eachToken, rows: pass.rows, sequences: contexts.count,
      expectedSequences: pass.expectedSequences)
    guard proposing < Self.mostProposing, canPay(contexts, planner) else {
      proposing = 0
      return contexts.map { leftAlone($0, planner) }
    }
    let offered = try freeOffers(for: contexts, in: pass)
    let options = zip(contexts, offered).map { self.options(for: $0, offer: $1.free, planner) }
    var plan = planner.plan(options)
    probe(contexts, &plan, planner)
    var proposals = contexts.map { _ in Proposal(origin: .target) }
    var writing: [Int] = []
    for (index, choice) in plan.choices.enumerated() {
      offers[contexts[index].request] = offered[index]
      switch choice {
      case .nothing: break
      case .free(let count):
        proposals[index] = offered[index].free
        proposals[index].truncate(to: count)
      case .draft: writing.append(index)
      }
    }
    if let draft, !writing.isEmpty {
      let asking = writing.map { planner.asking(contexts[$0], plan.choices[$0]) }
      let written = try draft.propose(for: asking, in: pass) { place, proposal in
        self.continues(proposal, for: contexts[writing[place]].request, planner, plan, writing: writing.count)
      }
      for (index, proposal) in zip(writing, written) {
        let request = contexts[index].request
        offers[request]?.drafted = proposal
        proposals[index] = trimmed(proposal, for: request, planner, plan, writing: writing.count)
      }
    }
    proposing = proposals.contains { !$0.tokens.isEmpty } ? proposing + 1 : 0
    let drafting = passSeconds - drafted
    step = Step(
      asking: now() - began - drafting,
      passes: planner.seconds(with: proposals.reduce(0) { $0 + $1.tokens.count }) + drafting,
      plain: planner.seconds(with: 0), wasHeldUp: wasHeldUp)
    for (index, context) in contexts.enumerated() {
      decisions[context.request] = decision(proposals[index], options[index], planner, plan)
    }
    return proposals
  }

  /// Whether there would be anything to gain from proposals that cost nothing and are nearly always right.
  private func canPay(_ contexts: [ProposalContext], _ planner: WindowPlanner) -> Bool {
    let window = contexts.reduce(1) { max($0, $1.window) }
    return planner.saving(acceptance: Self.mostAcceptance, sequences: contexts.count, window: window, isFree: true) > 0
  }

  /// No proposal for a sequence that nobody is asked about.
  private func leftAlone(_ context: ProposalContext, _ planner: WindowPlanner) -> Proposal {
    let proposal = Proposal(origin: .target)
    let options = WindowPlanner.Options(
      free: [], draft: draft == nil ? nil : draftEstimator.probability(for: context.request), window: context.window)
    let plain = WindowPlanner.Plan(choices: [.nothing], rate: 1, plainRate: 1)
    decisions[context.request] = decision(proposal, options, planner, plain)
    return proposal
  }

  /// Learns from how the sequences went on, from offers that were not used too.
  public func observe(_ verdicts: [Verdict]) {
    for proposer in free { proposer.observe(verdicts) }
    var (sequences, tokens) = (0, 0)
    for verdict in verdicts {
      positions[verdict.request, default: 0] += verdict.tokens.count
      guard let offer = offers.removeValue(forKey: verdict.request) else { continue }
      sequences += 1
      tokens += verdict.tokens.count
      Self.learn(offer.free, verdict, &freeEstimators[offer.free.origin, default: Self.freeEstimator])
      Self.learn(offer.drafted ?? Proposal(origin: draftOrigin), verdict, &draftEstimator)
    }
    if let step, sequences > 0, !step.wasHeldUp() {
      let speedup = Double(tokens) / Double(sequences) * step.plain / step.passes
      backoff.record(cost: step.asking / step.plain, gain: speedup - 1)
    }
    step = nil
  }

  /// Frees what is kept for a request.
  public func forget(_ request: RequestID) {
    for proposer in free { proposer.forget(request) }
    draft?.forget(request)
    for origin in freeEstimators.keys { freeEstimators[origin]?.forget(request) }
    draftEstimator.forget(request)
    decisions[request] = nil
    offers[request] = nil
    if let length = positions.removeValue(forKey: request) { lengths.record(length) }
  }

  /// Seconds that passes of the draft have taken so far.
  public var passSeconds: Double { draft?.passSeconds ?? 0 }

  private var draftOrigin: TokenOrigin { draft?.origin ?? .draftModel }

  /// The last decision.
  public func explanation(for request: RequestID) -> SpeculationDecision? { decisions[request] }

  /// What the free proposers and the draft had.
  public func offers(for request: RequestID) -> [Proposal] {
    guard let offer = offers[request] else { return [] }
    return (offer.all + [offer.drafted].compactMap { $0 }).filter { !$0.tokens.isEmpty }
  }

  private static var freeEstimator: AcceptanceEstimator { AcceptanceEstimator(prior: 0.4) }

  /// What the free proposers have for each context; the best is the one with the most tokens expected to be right.
  private func freeOffers(for contexts: [ProposalContext], in pass: PassOutline) throws -> [Offer] {
    var offers = contexts.map { _ in Offer(free: Proposal(origin: .suffix), all: []) }
    var scores = contexts.map { _ in 0.0 }
    for proposer in free {
      for (index, proposal) in try proposer.propose(for: contexts, in: pass).enumerated() {
        offers[index].all.append(proposal)
        let score = survivals(of: proposal, for: contexts[index].request).reduce(0, +)
        if score > scores[index] { (offers[index].free, scores[index]) = (proposal, score) }
      }
    }
    return offers
  }

  private func options(
    for context: ProposalContext, offer: Proposal, _ planner: WindowPlanner
  ) -> WindowPlanner.Options {
    let acceptance = draftEstimator.probability(for: context.request)
    return WindowPlanner.Options(
      free: survivals(of: offer, for: context.request),
      draft: isWorthReading(context, acceptance: acceptance, planner) ? acceptance : nil,
      window: context.window, preparing: Double(draft?.repeated(of: context) ?? 0) * planner.draft.seconds(rows: 1))
  }

  /// Whether the draft should read what it has not read of the sequence: an investment in the proposals to come, that
  /// has to pay while as many sequences go on as are to be expected.
  private func isWorthReading(
    _ context: ProposalContext, acceptance: Double, _ planner: WindowPlanner
  ) -> Bool {
    guard draft != nil else { return false }
    let seconds = reading(context, planner)
    guard seconds > 0 else { return true }
    let remaining = min(lengths.expectedRemaining(after: context.outputPosition), Double(context.remaining))
    return planner.saving(acceptance: acceptance, sequences: planner.expectedSequences, window: context.window)
      * remaining
      > seconds
  }

  /// Seconds that the draft takes for what it has not read of the sequence.
  private func reading(_ context: ProposalContext, _ planner: WindowPlanner) -> Double {
    let lag = draft?.lag(of: context) ?? 0
    return lag == 0 ? 0 : planner.draft.seconds(rows: lag + 1) - planner.step
  }

  /// For each token the probability that it and all before it are accepted.
  private func survivals(of proposal: Proposal, for request: RequestID) -> [Double] {
    let estimator = freeEstimators[proposal.origin] ?? Self.freeEstimator
    var survival = 1.0
    return proposal.confidences.enumerated().map { position, confidence in
      survival *= estimator.probability(confidence: confidence, at: position, for: request)
      return survival
    }
  }

  /// Lets the draft try on the sequence where it has been silent for longest, as far as the time for such tries goes.
  private func probe(
    _ contexts: [ProposalContext], _ plan: inout WindowPlanner.Plan, _ planner: WindowPlanner
  ) {
    guard draft != nil else { return }
    probes.pass(planner.target.seconds(rows: planner.sequences))
    let silent = contexts.indices.filter {
      plan.choices[$0] == .nothing && draftEstimator.silence(of: contexts[$0].request) >= Self.probeInterval
    }
    let longest = silent.max {
      draftEstimator.silence(of: contexts[$0].request) < draftEstimator.silence(of: contexts[$1].request)
    }
    let tokens = planner.probedTokens
    guard let longest,
      isWorthReading(contexts[longest], acceptance: Self.mostAcceptance, planner),
      planner.saving(
        acceptance: Self.mostAcceptance, sequences: planner.expectedSequences, window: contexts[longest].window)
        > 0,
      probes.take(
        planner.drafting(tokens, sequences: 1) + Double(tokens) * planner.row + reading(contexts[longest], planner))
    else { return }
    plan.choices[longest] = .draft(tokens)
  }

  private func continues(
    _ proposal: Proposal, for request: RequestID, _ planner: WindowPlanner, _ plan: WindowPlanner.Plan,
    writing: Int
  ) -> Bool {
    let survival = draftSurvival(proposal, count: proposal.tokens.count, for: request)
    return planner.isWorthDrafting(
      survival: survival, acceptance: draftEstimator.probability(for: request), rate: plan.rate,
      proposed: proposal.tokens.count, writing: writing)
  }

  /// Leaves out the tokens at the end that are not worth a row of the target's pass.
  private func trimmed(
    _ proposal: Proposal, for request: RequestID, _ planner: WindowPlanner, _ plan: WindowPlanner.Plan,
    writing: Int
  ) -> Proposal {
    var trimmed = proposal
    while trimmed.tokens.count > 1,
      !planner.isWorthVerifying(
        survival: draftSurvival(trimmed, count: trimmed.tokens.count, for: request), rate: plan.rate,
        proposed: trimmed.tokens.count, writing: writing)
    { trimmed.truncate(to: trimmed.tokens.count - 1) }
    return trimmed
  }

  private func draftSurvival(_ proposal: Proposal, count: Int, for request: RequestID) -> Double {
    proposal.confidences.prefix(count).enumerated().reduce(1) {
      $0 * draftEstimator.probability(confidence: $1.element, at: $1.offset, for: request)
    }
  }

  private func decision(
    _ proposal: Proposal, _ options: WindowPlanner.Options, _ planner: WindowPlanner, _ plan: WindowPlanner.Plan
  ) -> SpeculationDecision {
    let plain = planner.target.seconds(rows: planner.rows)
    let usesFree = proposal.origin != draftOrigin && !proposal.tokens.isEmpty
    return SpeculationDecision(
      window: proposal.tokens.count, origin: usesFree || draft == nil ? .suffix : draftOrigin,
      acceptance: usesFree || draft == nil ? options.free.first ?? 0 : options.draft ?? 0,
      cost: (planner.row + (usesFree || draft == nil ? 0 : planner.step)) / plain, gain: plan.rate / plan.plainRate)
  }

  /// Compares an offer with how the sequence went on.
  private static func learn(_ offer: Proposal, _ verdict: Verdict, _ estimator: inout AcceptanceEstimator) {
    guard !offer.tokens.isEmpty else {
      estimator.pass(verdict.tokens.count, for: verdict.request)
      return
    }
    let right = zip(offer.tokens, verdict.tokens).prefix { $0 == $1 }.count
    // What lies past the end of the verdict was neither confirmed nor refuted.
    let reached = min(offer.tokens.count, verdict.tokens.count)
    estimator.record(Array(offer.confidences.prefix(reached)), accepted: right, for: verdict.request)
  }
}
