package import Decoding
internal import Inference
internal import LoadTesting
package import Tokenization

/// What a proposer would offer at every position of one answer, and how much of it would be right.
///
/// Greedy answers, and sampled ones whose noise is keyed by position, are the same however they are speculated for, so
/// one trace tells the course of every window exactly.
package struct AcceptanceTrace: Sendable, Equatable {
  /// Tokens on offer, by output position.
  package let offered: [Int]
  /// How many of the first of them are right.
  package let matched: [Int]

  package init(offered: [Int], matched: [Int]) {
    self.offered = offered
    self.matched = matched
  }

  /// A draft model's: it always offers a full window, and is right as far as each token is.
  ///
  /// - Parameters:
  ///   - outcomes: whether the draft's token is right, by position.
  ///   - length: tokens of the answer.
  ///   - window: the largest window.
  ///   - seed: decides on positions that nothing is known of, at the rate of those that follow a right one.
  package init(_ outcomes: DraftOutcomes, length: Int, window: Int, seed: UInt64) {
    let known = outcomes.isRight
    // Gaps are mostly the tokens after a window that was accepted in full.
    var (right, all) = (1.0, 1.5)
    for place in known.indices.dropFirst() where known[place - 1] == true {
      guard let outcome = known[place] else { continue }
      all += 1
      if outcome { right += 1 }
    }
    var random = SeededRandom(seed: seed)
    let isRight = (0..<length).map { place in
      (place < known.count ? known[place] : nil) ?? (random.nextShare() < right / all)
    }
    var matched = Array(repeating: 0, count: length)
    for place in stride(from: length - 1, through: 0, by: -1) where isRight[place] {
      matched[place] = min(window, 1 + (place + 1 < length ? matched[place + 1] : 0))
    }
    self.init(offered: Array(repeating: window, count: length), matched: matched)
  }

  /// A free proposer's, by asking it at every position.
  ///
  /// - Parameters:
  ///   - prompt: the prompt's tokens.
  ///   - output: the answer's.
  ///   - window: the largest window.
  ///   - request: a name that the proposer has not seen.
  package init(
    asking proposer: some Proposer, prompt: [TokenID], output: [TokenID], window: Int, request: RequestID
  ) throws {
    var (offered, matched) = ([0], [0])
    let text = prompt + output
    for position in output.indices.dropFirst() {
      let known = Array(text[..<(prompt.count + position)])
      let context = ProposalContext(
        request: request, tokens: known, promptCount: prompt.count, window: window,
        sampler: Sampler(SamplingParameters()), counts: TokenCounts(prompt: prompt))
      let proposal = try proposer.propose(for: [context], in: PassOutline(rows: 1))[0].tokens
      offered.append(proposal.count)
      matched.append(zip(proposal, output[position...]).prefix { $0 == $1 }.count)
    }
    proposer.forget(request)
    self.init(offered: offered, matched: matched)
  }
}

/// Proposals and acceptances by position of the window, as vLLM counts them.
package struct PositionCounts: Sendable, Equatable {
  /// Nothing counted yet.
  package init() {}

  /// Proposals that were verified after all before them had been accepted.
  package private(set) var reached: [Int] = []
  /// Of them, those accepted.
  package private(set) var accepted: [Int] = []
  /// Verifications with at least one proposal.
  package private(set) var verifications = 0
  private var acceptedTotal = 0

  /// One verification of `proposed` tokens.
  package mutating func record(proposed: Int, accepted count: Int) {
    guard proposed > 0 else { return }
    verifications += 1
    acceptedTotal += count
    while reached.count < proposed {
      reached.append(0)
      accepted.append(0)
    }
    for position in 0..<min(proposed, count + 1) { reached[position] += 1 }
    for position in 0..<count { accepted[position] += 1 }
  }

  /// The course of an answer with a fixed window.
  ///
  /// - Parameter limit: most tokens that the answer could have had; no proposals are made past them.
  package mutating func replay(_ trace: AcceptanceTrace, limit: Int, window: Int) {
    var place = 1
    while place < trace.offered.count {
      let proposed = min(window, trace.offered[place], limit - place - 1)
      let count = min(proposed, trace.matched[place])
      record(proposed: proposed, accepted: count)
      place += count + 1
    }
  }

  /// α_i, as far as it was observed.
  package var conditional: [Double] {
    zip(accepted, reached).prefix { $0.1 > 0 }.map { Double($0.0) / Double($0.1) }
  }

  /// Tokens per verification, the target's own included; 1 without proposals.
  package var meanLength: Double { verifications > 0 ? 1 + Double(acceptedTotal) / Double(verifications) : 1 }
}
