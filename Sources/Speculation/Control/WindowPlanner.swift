package import Decoding

/// Chooses how many tokens to propose for each sequence of a batch, so that the batch gets the most tokens per second.
///
/// A pure function. `docs/speculation.md` derives it; the names are those of the formulae there.
package struct WindowPlanner {
  /// What could be proposed for one sequence.
  package struct Options {
    /// For each token that a free proposer offers: the probability that it and all before it are accepted.
    package var free: [Double]
    /// Probability that one more token of the draft's is accepted; `nil` where there is no draft, or none that knows
    /// the sequence well enough.
    package var draft: Double?
    /// Most tokens to propose.
    package var window: Int
    /// Seconds that the draft takes before its first token, each time that it is asked.
    package var preparing: Double

    /// Options for one sequence.
    package init(free: [Double], draft: Double?, window: Int, preparing: Double = 0) {
      self.free = free
      self.draft = draft
      self.window = window
      self.preparing = preparing
    }
  }

  /// What to propose for one sequence.
  package enum Choice: Equatable {
    case nothing
    /// The first tokens of the free offer.
    case free(Int)
    /// Tokens of the draft's: as many as it is planned to write; what it writes may change the plan.
    case draft(Int)
  }

  package struct Plan {
    package var choices: [Choice]
    /// Expected tokens per second of the batch.
    package var rate: Double
    /// The same without proposals.
    package var plainRate: Double
  }

  /// What a plan must promise over plain decoding, before it is believed: costs and acceptance are estimates, and what is
  /// misjudged of one sequence is paid for by all.
  private var leastGain: Double { Self.leastGain(sequences: sequences) }
  private static func leastGain(sequences: Int) -> Double { sequences > 1 ? 1.06 : 1.03 }

  /// T(n): the target's passes.
  let target: PassCosts
  /// d(n): the draft's.
  let draft: PassCosts
  /// What one of them gives.
  let passes: DraftPasses
  /// Rows of the pass without proposals, and how many tokens it yields at least.
  let rows: Int
  /// Sequences that proposals are planned for.
  let sequences: Int
  /// Sequences that will go on at a time once the prompts that are being read, or wait, have been read.
  let expectedSequences: Int

  /// A planner for `sequences` sequences in a pass over `rows` rows without proposals.
  package init(
    target: PassCosts, draft: PassCosts, passes: DraftPasses = .eachToken, rows: Int, sequences: Int,
    expectedSequences: Int = 0
  ) {
    self.target = target
    self.draft = draft
    self.passes = passes
    self.rows = rows
    self.sequences = sequences
    self.expectedSequences = max(expectedSequences, sequences)
  }

  /// The plan for sequences with these options.
  package func plan(_ options: [Options]) -> Plan {
    let plainRate = Double(options.count) / seconds(with: 0)
    var best = Plan(choices: options.map { _ in .nothing }, rate: plainRate, plainRate: plainRate)
    // Most steps of a large batch end here: not even the first proposal of any sequence is worth its time.
    guard options.contains(where: { isWorthStarting($0, rate: plainRate) }) else { return best }
    let nothing = best
    if expectedSequences > sequences {
      // Others wait for this pass to end: time is worth what all will make of it.
      let price = max(plainRate, Double(expectedSequences) / target.seconds(rows: expectedSequences))
      return plan(options, price: price, plainRate: plainRate) { tokens, seconds in
        tokens - price * (seconds - self.seconds(with: 0)) - (leastGain - 1) * Double(sequences)
      } ?? nothing
    }
    // Each round prices time at the best rate so far; two rounds suffice, as in Dinkelbach's method for ratios.
    for _ in 0..<2 {
      let price = best.rate
      guard
        let found = plan(options, price: price, plainRate: plainRate, worth: { $0 / ($1 * price) * Double(sequences) })
      else { break }
      best = found
    }
    return best.rate < leastGain * plainRate ? nothing : best
  }

  /// A proposal that could be made.
  private struct Slot {
    let sequence, position: Int
    let survival: Double
    let value: Double
    let isDraft: Bool
  }

  /// Admits proposals in the order of their value at the price of `price` tokens per second, or of their positions, and
  /// keeps the beginning that is worth most.
  ///
  /// - Parameter worth: of so many tokens in so many seconds; a plan is worth more than its sequences' own tokens.
  /// - Returns: `nil` where no proposal is worth it.
  private func plan(
    _ options: [Options], price: Double, plainRate: Double, worth: (_ tokens: Double, _ seconds: Double) -> Double
  ) -> Plan? {
    let slots = slots(options, price: price)
    // A sequence's later proposals are worth less than its earlier ones, so any beginning of either order is a plan. In a
    // draft's pass, sequences after the first cost little: what is worth less in one sequence may cost less than more in another.
    let byValue = slots.indices.sorted { first, second in
      slots[first].value > slots[second].value || (slots[first].value == slots[second].value && first < second)
    }
    let byPosition = byValue.indices.sorted { first, second in
      let (one, other) = (slots[byValue[first]].position, slots[byValue[second]].position)
      return one < other || (one == other && first < second)
    }.map { byValue[$0] }
    var best = (worth: Double(options.count), rate: 0.0, slots: ArraySlice<Int>())
    for order in options.count > 1 ? [byValue, byPosition] : [byValue] {
      var drafting = DraftingCosts(draft, passes)
      var tokens = Double(options.count)
      for (count, index) in order.enumerated() {
        let slot = slots[index]
        tokens += slot.survival
        if slot.isDraft { drafting.add(position: slot.position, preparing: options[slot.sequence].preparing) }
        let seconds = drafting.seconds + seconds(with: count + 1)
        let found = worth(tokens, seconds)
        if found > best.worth { best = (found, tokens / seconds, order.prefix(count + 1)) }
      }
    }
    guard !best.slots.isEmpty else { return nil }
    var plan = Plan(choices: options.map { _ in .nothing }, rate: max(best.rate, price), plainRate: plainRate)
    for index in best.slots {
      let slot = slots[index]
      switch plan.choices[slot.sequence] {
      case .nothing: plan.choices[slot.sequence] = slot.isDraft ? .draft(1) : .free(1)
      case .free(let count): plan.choices[slot.sequence] = .free(count + 1)
      case .draft(let count): plan.choices[slot.sequence] = .draft(count + 1)
      }
    }
    return plan
  }

  /// What could be proposed, each sequence by whoever offers more.
  private func slots(_ options: [Options], price: Double) -> [Slot] {
    options.enumerated().flatMap { sequence, option in
      let free = Array(option.free.prefix(option.window))
      let drafted = survivals(of: option)
      let freeValues = free.map { $0 - price * row }
      // Without what a sequence's first token costs besides: then values fall from each to the next.
      let draftValues = drafted.map { $0 - price * (row + step) }
      let usesDraft = Self.bestSum(draftValues) - price * (opening + option.preparing) > Self.bestSum(freeValues)
      return zip(usesDraft ? drafted : free, usesDraft ? draftValues : freeValues).enumerated().map { position, slot in
        Slot(sequence: sequence, position: position, survival: slot.0, value: slot.1, isDraft: usesDraft)
      }
    }
  }

  /// Seconds of a pass with `proposals` proposals, less what it spends on reading prompts, which has to be done anyway:
  /// next to them everything would look cheap.
  func seconds(with proposals: Int) -> Double {
    target.seconds(rows: sequences) + (target.seconds(rows: rows + proposals) - target.seconds(rows: rows))
  }

  private func isWorthStarting(_ option: Options, rate: Double) -> Bool {
    (option.free.first ?? 0) > rate * row
      || Self.bestSum(survivals(of: option).map { $0 - rate * (row + step) }) > rate * (opening + option.preparing)
  }

  /// Seconds a token that speculation saves where `sequences` sequences go on alike, with windows of at most `window`: what there
  /// is to gain from having read a sequence. 0 where a plan would not promise enough.
  ///
  /// - Parameter isFree: whether proposals cost nothing but their verification.
  func saving(acceptance: Double, sequences: Int, window: Int, isFree: Bool = false) -> Double {
    let plain = target.seconds(rows: sequences) / Double(sequences)
    var (best, tokens, survival) = (plain, 1.0, 1.0)
    for proposed in 1...max(isFree ? window : min(window, mostDrafted), 1) {
      survival *= acceptance
      tokens += survival
      let drafting = isFree ? 0 : self.drafting(proposed, sequences: sequences)
      let seconds = drafting + target.seconds(rows: sequences * (proposed + 1))
      best = min(best, seconds / (Double(sequences) * tokens))
    }
    return plain >= Self.leastGain(sequences: sequences) * best ? plain - best : 0
  }

  /// Whether one more draft token is worth its time: survival · α > λ (d + ΔT).
  ///
  /// - Parameters:
  ///   - proposed: tokens that the sequence's draft has.
  ///   - writing: sequences whose drafts get longer together.
  func isWorthDrafting(survival: Double, acceptance: Double, rate: Double, proposed: Int, writing: Int) -> Bool {
    survival * acceptance > rate * (step + target.marginal(rows: rows + proposed * writing, adding: writing))
  }

  /// Whether the last of `proposed` tokens that have been drafted is worth verifying: survival > λ ΔT.
  func isWorthVerifying(survival: Double, rate: Double, proposed: Int, writing: Int) -> Bool {
    let (with, without) = (rows + proposed * writing, rows + (proposed - 1) * writing)
    return survival > rate * (target.seconds(rows: with) - target.seconds(rows: without)) / Double(writing)
  }

  /// ΔT: what one more row costs the target.
  var row: Double { target.marginal(rows: rows) }
  /// d: what one more draft token costs a sequence, when all of them are drafted together.
  var step: Double {
    passes == .eachToken ? draft.seconds(rows: sequences) / Double(sequences) : draft.marginal(rows: 2 * sequences)
  }
  /// What a sequence's first draft token costs besides: the known token's row in a block.
  private var opening: Double {
    passes == .eachToken ? 0 : draft.seconds(rows: sequences) / Double(sequences)
  }
  /// Tokens of a try: one, or a few where a pass gives them all.
  var probedTokens: Int { passes == .eachToken ? 1 : min(4, mostDrafted) }

  /// Seconds in which `sequences` sequences get `count` draft tokens each.
  func drafting(_ count: Int, sequences: Int) -> Double {
    switch passes {
    case .eachToken: Double(count) * draft.seconds(rows: sequences)
    case .eachBlock: draft.seconds(rows: sequences * (count + 1))
    }
  }

  private var mostDrafted: Int {
    switch passes {
    case .eachToken: .max
    case .eachBlock(let most): most
    }
  }

  /// What the draft is to be asked for: a block as long as it was planned, where the number decides what it costs.
  func asking(_ context: ProposalContext, _ choice: Choice) -> ProposalContext {
    guard case .draft(let count) = choice, passes != .eachToken else { return context }
    var context = context
    context.window = min(context.window, count)
    return context
  }

  private func survivals(of option: Options) -> [Double] {
    guard let acceptance = option.draft else { return [] }
    var survival = 1.0
    return (0..<min(option.window, mostDrafted)).map { _ in
      survival *= acceptance
      return survival
    }
  }

  /// The largest sum of a beginning of `values`; 0 for none.
  private static func bestSum(_ values: [Double]) -> Double {
    var (sum, best) = (0.0, 0.0)
    for value in values {
      sum += value
      best = max(best, sum)
    }
    return best
  }
}

/// What the draft's passes of a plan cost, token by token.
private struct DraftingCosts {
  private let costs: PassCosts
  private let passes: DraftPasses
  /// Sequences that get a token at each position of their windows; of blocks all rows in one.
  private var rows: [Int] = []
  private(set) var seconds = 0.0

  init(_ costs: PassCosts, _ passes: DraftPasses) { (self.costs, self.passes) = (costs, passes) }

  /// A sequence gets a token at `position` of its window; those before it are there.
  ///
  /// - Parameter preparing: seconds before the sequence's first one.
  mutating func add(position: Int, preparing: Double) {
    if position == 0 { seconds += preparing }
    let isBlock = passes != .eachToken
    let place = isBlock ? 0 : position
    while place >= rows.count { rows.append(0) }
    seconds -= costs.seconds(rows: rows[place])
    rows[place] += isBlock && position == 0 ? 2 : 1
    seconds += costs.seconds(rows: rows[place])
  }
}
