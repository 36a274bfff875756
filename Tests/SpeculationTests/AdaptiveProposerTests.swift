import Decoding
import Inference
import Speculation
import TestSupport
import Testing
import Tokenization

/// The controller in simulated time: every regime is exact, and no clock is asked.
@Suite struct AdaptiveProposerTests {
  /// A text that is known beforehand, and a draft that guesses it at a given rate.
  final class SimulatedDraft: DraftSource {
    let costs: PassCosts
    /// Probability of being right at each position of the text.
    let acceptance: (Int) -> Double
    /// Whether the draft's confidence tells right guesses from wrong ones, a little.
    let isInformative: Bool
    let seed: UInt64
    /// What its passes give.
    var passes = DraftPasses.eachToken
    private(set) var seconds = 0.0
    /// Tokens of every text that it has not read.
    var unread = 0
    /// Tokens of every text that it reads each time.
    var again = 0

    init(secondsPerToken: Double, seed: UInt64, isInformative: Bool, acceptance: @escaping (Int) -> Double) {
      costs = PassCosts(samples: [(rows: 1, seconds: secondsPerToken), (rows: 64, seconds: secondsPerToken * 3)])
      self.acceptance = acceptance
      self.isInformative = isInformative
      self.seed = seed
    }

    func uniform(_ position: Int, _ purpose: UInt64) -> Double {
      var generator = SeededGenerator(seed: seed &* 7919 &+ purpose &* 1_000_003 &+ UInt64(position))
      _ = generator.next()
      return Double.random(in: 0..<1, using: &generator)
    }

    func isRight(_ position: Int) -> Bool { uniform(position, 1) < acceptance(position) }
    func lag(of context: ProposalContext) -> Int { unread }
    func repeated(of context: ProposalContext) -> Int { again }
    func forget(_ request: RequestID) {}

    func propose(
      for contexts: [ProposalContext], in pass: PassOutline, continuing continues: (Int, Proposal) -> Bool
    ) -> [Proposal] {
      contexts.enumerated().map { index, context in
        var proposal = Proposal(origin: .draftModel)
        repeat {
          let position = context.outputPosition + proposal.tokens.count
          let right = isRight(position)
          proposal.tokens.append(AdaptiveProposerTests.token(position) + (right ? 0 : 1))
          let hint = isInformative ? (right ? 0.2 : -0.2) * uniform(position, 2) : 0
          proposal.confidences.append(min(0.999, max(0.01, acceptance(position) + hint)))
          if passes == .eachToken { seconds += costs.seconds(rows: 1) }
        } while proposal.tokens.count < context.window && (passes != .eachToken || continues(index, proposal))
        if passes != .eachToken { seconds += costs.seconds(rows: 1 + proposal.tokens.count) }
        return proposal
      }
    }
  }

  static func token(_ position: Int) -> TokenID { TokenID((position * 7919 + position / 13) % 5000) * 2 }

  /// What a run came to.
  struct Run {
    /// Seconds at which each token was there.
    var times: [Double] = []
    var windows: [Int] = []

    func seconds(from first: Int, to last: Int) -> Double { times[last - 1] - times[first] }
  }

  /// Decodes `count` tokens; `window` nil leaves it to the proposer.
  static func run(
    _ draft: SimulatedDraft, target: PassCosts, count: Int, window fixed: Int? = nil, noise: Double = 0
  ) throws -> Run {
    let proposer = AdaptiveProposer(free: [], draft: draft)
    var (run, clock, tokens) = (Run(), 0.0, [token(0)])
    var costs = target
    while run.times.count < count {
      let context = ProposalContext(
        request: RequestID(1), tokens: tokens, promptCount: 0, window: fixed ?? 10,
        sampler: Sampler(SamplingParameters()), counts: TokenCounts(prompt: []))
      let before = draft.seconds
      var proposal = Proposal(origin: .target)
      if fixed == nil {
        proposal = try proposer.propose(for: [context], in: PassOutline(rows: 1, costs: costs))[0]
      } else if fixed != 0 {
        proposal = draft.propose(for: [context], in: PassOutline(rows: 1)) { _, _ in true }[0]
      }
      let accepted = proposal.tokens.enumerated().prefix { $1 == token(tokens.count + $0) }.count
      let appended = (0...accepted).map { token(tokens.count + $0) }
      let rows = 1 + proposal.tokens.count
      let seconds = target.seconds(rows: rows) * (1 + noise * (2 * draft.uniform(tokens.count, 3) - 1))
      costs.observe(rows: rows, seconds: seconds)
      clock += draft.seconds - before + seconds
      tokens += appended
      proposer.observe([Verdict(request: RequestID(1), tokens: appended)])
      for _ in appended {
        run.times.append(clock)
        run.windows.append(proposal.tokens.count)
      }
    }
    return run
  }

  static func costs(slope: Double) -> PassCosts {
    PassCosts(samples: [(rows: 1, seconds: 1), (rows: 16, seconds: 1 + 15 * slope)])
  }

  @Test(
    "in a steady regime it is never slower than plain decoding and close to the best fixed window",
    arguments: [0.02, 0.3, 0.5, 0.7, 0.85, 0.97], [0.03, 0.16, 0.6])
  func steady(acceptance: Double, draftCost: Double) throws {
    for (slope, isInformative, noise) in [(0.01, true, 0.0), (0.01, false, 0.3), (0.08, true, 0.1), (0.3, false, 0)] {
      func draft() -> SimulatedDraft {
        SimulatedDraft(secondsPerToken: draftCost, seed: 5, isInformative: isInformative) { _ in acceptance }
      }
      let (target, count) = (Self.costs(slope: slope), 1500)
      let automatic = try Self.run(draft(), target: target, count: count, noise: noise).times[count - 1]
      let windows = [0, 1, 2, 3, 4, 6, 8, 10]
      let fixed = try windows.map {
        try Self.run(draft(), target: target, count: count, window: $0, noise: noise).times[count - 1]
      }
      let best = fixed.min() ?? 0
      #expect(fixed[0] / automatic > 0.97, "slope \(slope), noise \(noise): slower than plain decoding")
      #expect(best / automatic > 0.93, "slope \(slope), noise \(noise): fixed windows take \(fixed)")
    }
  }

  @Test(
    "a draft that writes blocks is asked for as many tokens as pay: never slower than plain, close to the best window",
    arguments: [0.3, 0.6, 0.85, 0.97], [0.05, 0.3, 0.6])
  func blocks(acceptance: Double, draftCost: Double) throws {
    for (slope, isInformative) in [(0.01, true), (0.01, false), (0.08, true), (0.3, false)] {
      func draft() -> SimulatedDraft {
        let draft = SimulatedDraft(secondsPerToken: draftCost, seed: 5, isInformative: isInformative) { _ in acceptance
        }
        draft.passes = .eachBlock(most: 8)
        return draft
      }
      let (target, count) = (Self.costs(slope: slope), 1500)
      let automatic = try Self.run(draft(), target: target, count: count)
      let fixed = try [0, 1, 2, 3, 4, 6, 8].map {
        try Self.run(draft(), target: target, count: count, window: $0).times[count - 1]
      }
      let seconds = automatic.times[count - 1]
      #expect(fixed[0] / seconds > 0.97, "slope \(slope): slower than plain decoding")
      // What costs as much as this is seldom tried while it is not known to be good.
      let least = draftCost < 0.5 ? 0.93 : 0.85
      #expect((fixed.min() ?? 0) / seconds > least, "slope \(slope): \(seconds), fixed windows take \(fixed)")
      #expect(automatic.windows.allSatisfy { $0 <= 8 })
    }
  }

  @Test("a block is worth starting where its first token alone is not, and its pass is paid for once")
  func wholeBlocks() {
    let target = PassCosts(samples: [(rows: 1, seconds: 1), (rows: 16, seconds: 1.15)])
    let draft = PassCosts(samples: [(rows: 1, seconds: 1), (rows: 16, seconds: 1.15)])
    let options = WindowPlanner.Options(free: [], draft: 0.9, window: 10)
    func window(_ passes: DraftPasses, sequences: Int = 1) -> [Int] {
      WindowPlanner(target: target, draft: draft, passes: passes, rows: sequences, sequences: sequences)
        .plan(Array(repeating: options, count: sequences)).choices
        .map { if case .draft(let window) = $0 { window } else { 0 } }
    }
    // A token at a time each costs a pass of the target.
    #expect(window(.eachToken) == [0])
    #expect(window(.eachBlock(most: 15)) == [10])
    #expect(window(.eachBlock(most: 4)) == [4])
    // One token for one pass as dear as the target's is no gain.
    #expect(window(.eachBlock(most: 1)) == [0])
    #expect(window(.eachBlock(most: 4), sequences: 2) == [4, 4])
  }

  @Test("it settles within 32 tokens when a sequence becomes easy or hard", arguments: [1, 2, 3, 4, 5] as [UInt64])
  func jumps(seed: UInt64) throws {
    let target = Self.costs(slope: 0.02)
    let change = 400
    let harder = SimulatedDraft(secondsPerToken: 0.16, seed: seed, isInformative: true) { $0 < change ? 0.95 : 0.05 }
    let hard = try Self.run(harder, target: target, count: 800)
    #expect(hard.seconds(from: change + 32, to: 800) < Double(800 - change - 32) * 1.03)
    #expect(hard.seconds(from: 100, to: change) < 0.5 * Double(change - 100))

    let easier = SimulatedDraft(secondsPerToken: 0.16, seed: seed, isInformative: true) { $0 < change ? 0.05 : 0.95 }
    let easy = try Self.run(easier, target: target, count: 800)
    #expect(easy.seconds(from: 100, to: change) < Double(change - 100) * 1.03)
    #expect(easy.seconds(from: change + 32, to: 800) < 0.5 * Double(800 - change - 32))
  }

  @Test("a draft that costs more than it saves is left alone")
  func slowDraft() throws {
    let draft = SimulatedDraft(secondsPerToken: 1.2, seed: 1, isInformative: true) { _ in 0.9 }
    let run = try Self.run(draft, target: Self.costs(slope: 0.02), count: 1000)
    #expect(run.times[999] < 1030 + 1)
  }

  @Test("windows shrink as the batch grows and passes stop being flat")
  func batches() {
    // Flat up to 16 rows, then every row costs its share.
    let target = PassCosts(samples: [(rows: 1, seconds: 1), (rows: 16, seconds: 1.2), (rows: 128, seconds: 8)])
    let draft = PassCosts(samples: [(rows: 1, seconds: 0.1), (rows: 32, seconds: 0.4)])
    let widths = [1, 4, 16, 32].map { count in
      let options = WindowPlanner.Options(free: [], draft: 0.7, window: 10)
      let plan = WindowPlanner(target: target, draft: draft, rows: count, sequences: count)
        .plan(Array(repeating: options, count: count))
      #expect(plan.rate >= plan.plainRate)
      let proposed = plan.choices.map { if case .draft(let window) = $0 { window } else { 0 } }
      return Double(proposed.reduce(0, +)) / Double(count)
    }
    #expect(widths[0] >= 3)
    #expect(widths == widths.sorted(by: >), "\(widths)")
    #expect(widths[3] == 0)
  }

  /// Guesses the next token of every text, rightly or wrongly, and takes its time.
  final class Lookup: Proposer {
    var isRight = false
    private(set) var asked = 0
    private(set) var seconds = 0.0

    func forget(_ request: RequestID) {}

    func propose(for contexts: [ProposalContext], in pass: PassOutline) -> [Proposal] {
      asked += 1
      seconds += 0.05
      return contexts.map { context in
        let right = AdaptiveProposerTests.token(context.tokens.count)
        return Proposal(tokens: [isRight ? right : right + 1], origin: .suffix, confidences: [0.9])
      }
    }
  }

  @Test("several sequences are seldom asked where asking costs more than it finds, and again when it does not")
  func rests() throws {
    let lookup = Lookup()
    let proposer = AdaptiveProposer(free: [lookup], draft: nil, now: { lookup.seconds }, beginStep: { { false } })
    var sequences = (0..<4).map { _ in [Self.token(0)] }
    func steps(_ count: Int) throws -> Int {
      let before = lookup.asked
      for _ in 0..<count {
        let contexts = sequences.enumerated().map { index, tokens in
          ProposalContext(
            request: RequestID(index), tokens: tokens, promptCount: 0, window: 10,
            sampler: Sampler(SamplingParameters()), counts: TokenCounts(prompt: []))
        }
        let costs = Self.costs(slope: 0.02)
        let proposals = try proposer.propose(for: contexts, in: PassOutline(rows: 4, costs: costs))
        let verdicts = sequences.indices.map { index in
          let right = Self.token(sequences[index].count)
          let isAccepted = proposals[index].tokens == [right]
          return Verdict(
            request: RequestID(index),
            tokens: isAccepted ? [right, Self.token(sequences[index].count + 1)] : [right])
        }
        proposer.observe(verdicts)
        for (index, verdict) in verdicts.enumerated() { sequences[index] += verdict.tokens }
      }
      return lookup.asked - before
    }
    _ = try steps(100)
    #expect(try steps(330) == 10)
    lookup.isRight = true
    _ = try steps(100)
    #expect(try steps(90) == 90)
  }

  static func context(_ request: Int, position: Int, remaining: Int = .max) -> ProposalContext {
    ProposalContext(
      request: RequestID(request), tokens: (0...position).map { token($0) }, promptCount: 0, window: 10,
      sampler: Sampler(SamplingParameters()), counts: TokenCounts(prompt: []), remaining: remaining)
  }

  @Test("what everyone had is told until the verdict, used or not")
  func offers() throws {
    let draft = SimulatedDraft(secondsPerToken: 0.01, seed: 1, isInformative: true) { _ in 0.9 }
    let proposer = AdaptiveProposer(free: [Lookup()], draft: draft)
    let context = Self.context(1, position: 4)
    let proposal = try proposer.propose(
      for: [context], in: PassOutline(rows: 1, costs: Self.costs(slope: 0.02)))[0]
    let offers = proposer.offers(for: context.request)
    #expect(offers.contains { $0.origin == .suffix } && offers.contains { $0.origin == .draftModel })
    #expect(offers.contains { $0.origin == proposal.origin && $0.tokens.starts(with: proposal.tokens) })
    proposer.observe([Verdict(request: context.request, tokens: [Self.token(5)])])
    #expect(proposer.offers(for: context.request).isEmpty)
  }

  @Test("the draft reads a prompt only if the answer goes on for long enough, and in the batch to come")
  func reading() throws {
    // A second row is almost free, sixteen are not.
    let costs = PassCosts(samples: [(rows: 1, seconds: 1), (rows: 8, seconds: 1.1), (rows: 64, seconds: 12)])
    func proposes(remaining: Int, expectedSequences: Int) throws -> Bool {
      let draft = SimulatedDraft(secondsPerToken: 0.1, seed: 1, isInformative: true) { _ in 0.9 }
      draft.unread = 400
      let proposer = AdaptiveProposer(free: [], draft: draft)
      let pass = PassOutline(rows: 1, costs: costs, expectedSequences: expectedSequences)
      return try !proposer.propose(for: [Self.context(1, position: 40, remaining: remaining)], in: pass)[0].tokens
        .isEmpty
    }
    #expect(try proposes(remaining: 100, expectedSequences: 1) == true)
    #expect(try proposes(remaining: 1, expectedSequences: 1) == false)
    #expect(try proposes(remaining: 100, expectedSequences: 16) == false)
  }

  @Test("what the draft reads each time has to pay each time, however long the answer goes on")
  func repetition() throws {
    func proposes(again: Int) throws -> Bool {
      let draft = SimulatedDraft(secondsPerToken: 0.1, seed: 1, isInformative: true) { _ in 0.9 }
      draft.again = again
      let proposer = AdaptiveProposer(free: [], draft: draft)
      let pass = PassOutline(rows: 1, costs: Self.costs(slope: 0.02))
      return try !proposer.propose(for: [Self.context(1, position: 40)], in: pass)[0].tokens.isEmpty
    }
    #expect(try proposes(again: 5))
    #expect(try !proposes(again: 50))
  }

  @Test("answers that ended tell how long one is to be expected to go on")
  func lengths() throws {
    let draft = SimulatedDraft(secondsPerToken: 0.1, seed: 1, isInformative: true) { _ in 0.9 }
    let proposer = AdaptiveProposer(free: [], draft: draft)
    let pass = PassOutline(rows: 1, costs: Self.costs(slope: 0.02))
    func proposes(_ request: Int) throws -> Bool {
      draft.unread = 30_000
      return try !proposer.propose(for: [Self.context(request, position: 1)], in: pass)[0].tokens.isEmpty
    }
    #expect(try proposes(1) == false)
    for request in 10..<20 {
      proposer.observe([Verdict(request: RequestID(request), tokens: Array(repeating: 0, count: 2000))])
      proposer.forget(RequestID(request))
    }
    #expect(try proposes(2) == true)
  }

  @Test("where not even perfect proposals would pay, nobody is asked")
  func futility() throws {
    let lookup = Lookup()
    let proposer = AdaptiveProposer(free: [lookup], draft: nil, now: { lookup.seconds }, beginStep: { { false } })
    for _ in 0..<20 {
      let contexts = (0..<4).map { Self.context($0, position: 5) }
      let proposals = try proposer.propose(for: contexts, in: PassOutline(rows: 4, costs: Self.costs(slope: 1)))
      #expect(proposals.reduce(0) { $0 + $1.tokens.count } == 0)
    }
    #expect(lookup.asked == 0)
  }

  @Test(
    "a draft that is always wrong takes a hundredth of the time, whatever the number of sequences",
    arguments: [1, 4, 16])
  func probes(count: Int) throws {
    let draft = SimulatedDraft(secondsPerToken: 0.05, seed: 3, isInformative: false) { _ in 0.01 }
    let proposer = AdaptiveProposer(free: [], draft: draft)
    let costs = Self.costs(slope: 0.001)
    let steps = 2000
    var (sequences, before) = (Array(repeating: 0, count: count), 0.0)
    for step in 0..<steps {
      if step == 100 { before = draft.seconds }
      let contexts = sequences.enumerated().map { Self.context($0, position: $1 % 1000) }
      _ = try proposer.propose(for: contexts, in: PassOutline(rows: count, costs: costs))
      let verdicts = sequences.enumerated().map { Verdict(request: RequestID($0), tokens: [Self.token($1 % 1000 + 1)]) }
      proposer.observe(verdicts)
      for index in sequences.indices { sequences[index] += 1 }
    }
    #expect(draft.seconds - before < 0.011 * Double(steps) * costs.seconds(rows: count))
    #expect(draft.seconds > before)
  }

  @Test("free proposals are taken before the draft's, unless they are less sure")
  func sources() {
    let planner = WindowPlanner(
      target: Self.costs(slope: 0.02), draft: PassCosts(samples: [(rows: 8, seconds: 0.16)]), rows: 2,
      sequences: 2)
    let plan = planner.plan([
      WindowPlanner.Options(free: [0.95, 0.9, 0.85], draft: 0.6, window: 10),
      WindowPlanner.Options(free: [0.05], draft: 0.9, window: 10),
    ])
    #expect(plan.choices[0] == .free(3))
    guard case .draft = plan.choices[1] else {
      Issue.record("expected the draft, found \(plan.choices[1])")
      return
    }
  }
}
