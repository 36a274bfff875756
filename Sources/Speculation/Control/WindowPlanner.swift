package import Decoding

/// Chooses how many tokens to propose for each text of a batch, so that the batch gets the most tokens per second.
///
/// A pure function. `docs/speculation.md` derives it; the names are those of the formulae there.
package struct WindowPlanner {
  /// What could be proposed for one text.
  package struct Options {
    /// For each token that a free proposer offers: the probability that it and all before it are accepted.
    package var free: [Double]
    /// Probability that one more token of the draft's is accepted; `nil` where there is no draft, or none that knows
    /// the text well enough.
    package var draft: Double?
    /// Most tokens to propose.
    package var window: Int

    /// Options for one text.
    package init(free: [Double], draft: Double?, window: Int) {
      self.free = free
      self.draft = draft
      self.window = window
    }
  }

  /// What to propose for one text.
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
  /// misjudged of one text is paid for by all.
  private var leastGain: Double { Self.leastGain(texts: texts) }
  private static func leastGain(texts: Int) -> Double { texts > 1 ? 1.06 : 1.03 }

  /// T(n): the target's passes.
  let target: PassCosts
  /// d(n): the draft's.
  let draft: PassCosts
  /// Rows of the pass without proposals, and how many tokens it yields at least.
  let rows: Int
  /// Texts that proposals are planned for.
  let texts: Int

  /// A planner for `texts` texts in a pass over `rows` rows without proposals.
  package init(target: PassCosts, draft: PassCosts, rows: Int, texts: Int) {
    self.target = target
    self.draft = draft
    self.rows = rows
    self.texts = texts
  }

  /// The plan for texts with these options.
  package func plan(_ options: [Options]) -> Plan {
    let plainRate = Double(options.count) / seconds(with: 0)
    var best = Plan(choices: options.map { _ in .nothing }, rate: plainRate, plainRate: plainRate)
    // Most steps of a large batch end here: not even the first proposal of any text is worth its time.
    guard options.contains(where: { isWorthStarting($0, rate: plainRate) }) else { return best }
    // Each round prices time at the best rate so far; two rounds suffice, as in Dinkelbach's method for ratios.
    for _ in 0..<2 {
      let found = plan(options, rate: best.rate, plainRate: plainRate)
      guard found.rate > best.rate else { break }
      best = found
    }
    guard best.rate < leastGain * plainRate else { return best }
    return Plan(choices: options.map { _ in .nothing }, rate: plainRate, plainRate: plainRate)
  }

  /// Admits the most worthwhile proposals, at the price of `rate` tokens per second, as long as the rate grows.
  private func plan(_ options: [Options], rate: Double, plainRate: Double) -> Plan {
    struct Slot {
      let text: Int
      let survival: Double
      let value: Double
      let isDraft: Bool
    }
    var slots: [Slot] = []
    for (text, option) in options.enumerated() {
      let free = option.free.prefix(option.window)
      let drafted = Self.survivals(of: option)
      let freeValues = free.map { $0 - rate * row }
      let draftValues = drafted.map { $0 - rate * (row + step) }
      let usesDraft = Self.bestSum(draftValues) > Self.bestSum(freeValues)
      for (survival, value) in zip(usesDraft ? drafted : Array(free), usesDraft ? draftValues : freeValues) {
        slots.append(Slot(text: text, survival: survival, value: value, isDraft: usesDraft))
      }
    }
    // A text's later proposals are worth less than its earlier ones, so any beginning of this order is a plan.
    let order = slots.indices.sorted {
      slots[$0].value > slots[$1].value || (slots[$0].value == slots[$1].value && $0 < $1)
    }

    var windows = Array(repeating: 0, count: options.count)
    var drafting: [Int] = []
    var (tokens, proposing) = (Double(options.count), 0.0)
    var best = (rate: plainRate, count: 0)
    for (count, index) in order.enumerated() {
      let slot = slots[index]
      windows[slot.text] += 1
      tokens += slot.survival
      if slot.isDraft {
        let position = windows[slot.text] - 1
        if position == drafting.count { drafting.append(0) }
        proposing -= draft.seconds(rows: drafting[position])
        drafting[position] += 1
        proposing += draft.seconds(rows: drafting[position])
      }
      let found = tokens / (proposing + seconds(with: count + 1))
      if found > best.rate { best = (found, count + 1) }
    }
    var plan = Plan(choices: options.map { _ in .nothing }, rate: best.rate, plainRate: plainRate)
    for index in order.prefix(best.count) {
      let slot = slots[index]
      switch plan.choices[slot.text] {
      case .nothing: plan.choices[slot.text] = slot.isDraft ? .draft(1) : .free(1)
      case .free(let count): plan.choices[slot.text] = .free(count + 1)
      case .draft(let count): plan.choices[slot.text] = .draft(count + 1)
      }
    }
    return plan
  }

  /// Seconds of a pass with `proposals` proposals, less what it spends on reading prompts, which has to be done anyway:
  /// next to them everything would look cheap.
  func seconds(with proposals: Int) -> Double {
    target.seconds(rows: texts) + (target.seconds(rows: rows + proposals) - target.seconds(rows: rows))
  }

  private func isWorthStarting(_ option: Options, rate: Double) -> Bool {
    (option.free.first ?? 0) > rate * row || (option.draft ?? 0) > rate * (row + step)
  }

  /// Seconds a token that speculation saves where `texts` texts go on alike, with windows of at most `window`: what there
  /// is to gain from having read a text. 0 where a plan would not promise enough.
  ///
  /// - Parameter isFree: whether proposals cost nothing but their verification.
  func saving(acceptance: Double, texts: Int, window: Int, isFree: Bool = false) -> Double {
    let plain = target.seconds(rows: texts) / Double(texts)
    let step = isFree ? 0 : draft.seconds(rows: texts)
    var (best, tokens, survival) = (plain, 1.0, 1.0)
    for proposed in 1...max(window, 1) {
      survival *= acceptance
      tokens += survival
      let seconds = Double(proposed) * step + target.seconds(rows: texts * (proposed + 1))
      best = min(best, seconds / (Double(texts) * tokens))
    }
    return plain >= Self.leastGain(texts: texts) * best ? plain - best : 0
  }

  /// Whether one more draft token is worth its time: survival · α > λ (d + ΔT).
  func isWorthDrafting(survival: Double, acceptance: Double, rate: Double, proposed: Int) -> Bool {
    survival * acceptance > rate * (step + target.marginal(rows: rows + proposed))
  }

  /// Whether a token that has been drafted is worth verifying: survival > λ ΔT.
  func isWorthVerifying(survival: Double, rate: Double, proposed: Int) -> Bool {
    survival > rate * target.marginal(rows: rows + proposed)
  }

  /// ΔT: what one more row costs the target.
  var row: Double { target.marginal(rows: rows) }
  /// d: what one more draft token costs a text, when all of them are drafted together.
  var step: Double { draft.seconds(rows: texts) / Double(texts) }

  private static func survivals(of option: Options) -> [Double] {
    guard let acceptance = option.draft else { return [] }
    var survival = 1.0
    return (0..<option.window).map { _ in
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
