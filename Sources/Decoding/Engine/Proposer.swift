public import Tokenization
public import Transformer

/// Guesses how sequences go on. The guesses cost time when wrong and never change the output.
///
/// A proposer is used from the engine's thread only.
public protocol Proposer: AnyObject {
  /// Layers of the target whose residual streams it wants of every row (`Taps.layers`), ascending.
  var taps: [Int] { get }
  /// Sees a pass of the target: every row of every pass, those that read prompts included.
  ///
  /// Positions that a sequence has from the prefix cache are in no pass of its own. What a proposer keeps by position it
  /// keeps in blocks parallel to the target's: then what belongs to these positions is there, as the target's keys and
  /// values are.
  func process(_ pass: TargetPass) throws
  /// A proposal of at most `context.window` tokens for each context, in the same order; an empty one for no guess.
  ///
  /// - Parameter pass: what else the target's next pass computes, and what passes cost.
  func propose(for contexts: [ProposalContext], in pass: PassOutline) throws -> [Proposal]
  /// Learns how the sequences really went on: `verdicts` are those of the last `propose`, in the same order.
  func observe(_ verdicts: [Verdict])
  /// Frees what it keeps for a request that has ended.
  func forget(_ request: RequestID)
  /// Seconds that passes of models of its own have taken so far.
  var passSeconds: Double { get }
  /// Why it proposed what it did for `request` the last time.
  func explanation(for request: RequestID) -> SpeculationDecision?
  /// What everyone who was asked had to offer in the last `propose`, used or not; until `observe`.
  func offers(for request: RequestID) -> [Proposal]
}

extension Proposer {
  /// None: a proposer need not look into the target.
  public var taps: [Int] { [] }
  /// Does nothing: a proposer need not follow the target.
  public func process(_ pass: TargetPass) {}
  /// Does nothing: a proposer need not learn.
  public func observe(_ verdicts: [Verdict]) {}
  /// None: a proposer need not have a model.
  public var passSeconds: Double { 0 }
  /// Nothing to explain: a fixed window is no decision.
  public func explanation(for request: RequestID) -> SpeculationDecision? { nil }
  /// None beyond what it proposed.
  public func offers(for request: RequestID) -> [Proposal] { [] }
}

/// What a proposer may know about a request.
public struct ProposalContext: Sendable {
  /// Whose sequence.
  public let request: RequestID
  /// Prompt and output so far, and what the constraint foresees after them.
  public internal(set) var tokens: [TokenID]
  /// How many of the last of `tokens` are foreseen, and may turn out otherwise.
  public internal(set) var foreseenCount: Int
  /// How many of the first of `tokens` the target has computed, and the proposer has seen in passes: all but the last,
  /// unless a request that was preempted is being read again.
  public let computedCount: Int
  /// How many of `tokens` are the prompt's.
  public let promptCount: Int
  /// Most tokens to propose; at least 1.
  public var window: Int
  /// Most tokens that the answer may still get.
  public internal(set) var remaining: Int
  /// The target's KV blocks of the request, which reach to the end of the window.
  public let blocks: [Int32]
  /// Who is to propose, always and as many as the window holds; `nil` leaves both to the proposer.
  public let method: SpeculationMethod?
  /// How the target will choose: a proposer that samples the same way guesses the target's own draw.
  public let sampler: Sampler
  /// What penalties depend on.
  public internal(set) var counts: TokenCounts
  /// How the target's next token is chosen, where nothing but the largest logit or a plain draw is wanted of it; `nil`
  /// where the logits are.
  public let choice: TokenChoice?
  /// What the sequence must keep to: proposals outside it would be wrong.
  public internal(set) var constraint: (any TokenConstraint)?

  /// Output position of the first proposal.
  public var outputPosition: Int { tokens.count - promptCount }

  /// A context for one request.
  public init(
    request: RequestID, tokens: [TokenID], promptCount: Int, window: Int, computedCount: Int? = nil,
    blocks: [Int32] = [],
    method: SpeculationMethod? = nil, sampler: Sampler, counts: TokenCounts, choice: TokenChoice? = nil,
    constraint: (any TokenConstraint)? = nil, foreseenCount: Int = 0, remaining: Int = .max
  ) {
    self.request = request
    self.tokens = tokens
    self.computedCount = computedCount ?? max(0, tokens.count - 1)
    self.promptCount = promptCount
    self.window = window
    self.blocks = blocks
    self.method = method
    self.sampler = sampler
    self.counts = counts
    self.choice = choice
    self.constraint = constraint
    self.foreseenCount = foreseenCount
    self.remaining = remaining
  }
}

/// What the target's next pass computes besides proposals.
public struct PassOutline: Sendable {
  /// Rows of the pass without any proposal.
  public let rows: Int
  /// What passes of the target cost.
  public let costs: PassCosts
  /// Requests of the pass that go on by one token, and for which no proposal is asked.
  public let unasked: [ProposalContext]
  /// Sequences that will go on at a time when the prompts that are being read, or wait, have been read; 0 where that is not
  /// known.
  public let expectedSequences: Int

  /// An outline of a pass over `rows` rows.
  public init(
    rows: Int, costs: PassCosts = PassCosts(), unasked: [ProposalContext] = [], expectedSequences: Int = 0
  ) {
    self.rows = rows
    self.costs = costs
    self.unasked = unasked
    self.expectedSequences = expectedSequences
  }

  /// The same pass with another number of rows.
  package func with(rows: Int) -> PassOutline {
    PassOutline(rows: rows, costs: costs, unasked: unasked, expectedSequences: expectedSequences)
  }
}

/// Tokens that a sequence may go on with.
public struct Proposal: Sendable, Equatable {
  /// The guesses, in order.
  public var tokens: [TokenID]
  /// Who made them.
  public var origin: TokenOrigin
  /// The proposer's own probability of each, as far as it has an idea; not calibrated.
  public var confidences: [Double]
  /// What each was drawn from; only where verification needs it (`rejection_sample_method: "standard"`).
  public var distributions: [TokenDistribution]
  /// How many of the first tokens the constraint foresaw; `confidences` and `distributions` are of those after them.
  public var forcedCount: Int

  /// A proposal.
  public init(
    tokens: [TokenID] = [], origin: TokenOrigin, confidences: [Double] = [], distributions: [TokenDistribution] = [],
    forcedCount: Int = 0
  ) {
    self.tokens = tokens
    self.origin = origin
    self.confidences = confidences
    self.distributions = distributions
    self.forcedCount = forcedCount
  }

  /// Who proposed the token at `index`.
  public func origin(of index: Int) -> TokenOrigin { index < forcedCount ? .grammar : origin }

  /// Adds the tokens of another proposal, which go on where this one ends.
  mutating func append(_ other: Proposal) {
    tokens += other.tokens
    confidences += other.confidences
    distributions += other.distributions
    origin = other.origin
  }

  /// Drops everything after the first `count` tokens.
  public mutating func truncate(to count: Int) {
    guard count < tokens.count else { return }
    tokens.removeLast(tokens.count - count)
    forcedCount = min(forcedCount, count)
    confidences.removeLast(max(0, confidences.count - (count - forcedCount)))
    distributions.removeLast(max(0, distributions.count - (count - forcedCount)))
  }
}

/// How a sequence went on that there was a proposal for.
public struct Verdict: Sendable, Equatable {
  /// Whose sequence.
  public let request: RequestID
  /// What it went on with: accepted proposals and the target's own token.
  public let tokens: [TokenID]

  /// A verdict.
  public init(request: RequestID, tokens: [TokenID]) {
    self.request = request
    self.tokens = tokens
  }
}

/// What was proposed for one request in one step, and why.
public struct SpeculationDecision: Sendable, Equatable {
  /// Tokens proposed; 0 for plain decoding.
  public var window: Int
  /// Who proposed them, or would have.
  public var origin: TokenOrigin
  /// Estimated probability that the next proposal is accepted.
  public var acceptance: Double
  /// Cost of one more proposal, as a share of a plain pass: drafting it and verifying it.
  public var cost: Double
  /// Expected tokens per second with this decision over plain decoding.
  public var gain: Double

  /// A decision.
  public init(window: Int, origin: TokenOrigin, acceptance: Double, cost: Double, gain: Double) {
    self.window = window
    self.origin = origin
    self.acceptance = acceptance
    self.cost = cost
    self.gain = gain
  }
}

extension SpeculationDecision: CustomStringConvertible {
  /// "window 3 (draft_model): acceptance 0.81, one more proposal costs 0.19 of a pass, expected gain 1.92x".
  public var description: String {
    func short(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
    return "window \(window) (\(origin.rawValue)): acceptance \(short(acceptance)), one more proposal costs "
      + "\(short(cost)) of a pass, expected gain \(short(gain))x"
  }
}

/// Plain decoding: the proposer that proposes nothing.
public final class NoProposer: Proposer {
  /// A proposer without state.
  public init() {}
  /// An empty proposal for each context.
  public func propose(for contexts: [ProposalContext], in pass: PassOutline) -> [Proposal] {
    contexts.map { _ in Proposal(origin: .target) }
  }
  /// Does nothing.
  public func forget(_ request: RequestID) {}
}
