/// Says when to ask nobody for proposals: looking for them in many sequences takes time too, and where that has not paid
/// lately, only some steps ask.
package struct ProposalBackoff {
  /// How many sequences were asked for: with other numbers of them something else may pay.
  private var sequences = 0
  /// Steps that asked, and steps since the last of them.
  private var asked = 0
  private var skipped = 0
  /// Steps in a row that do not ask, while asking does not pay.
  private var pause = Self.pauses.lowerBound
  /// What asking took and what the proposals gave, both as shares of a plain pass; averages that forget.
  private var cost = 0.0
  private var gain = 0.0

  package init() {}

  /// Steps that ask before there is a verdict, and over which the averages run.
  private static let memory = 8
  /// A pause begins short, and doubles as long as asking after it does not pay.
  private static let pauses = 8...32
  /// Gain over cost below which asking does not pay: both are uncertain.
  private static let margin = 2.0

  /// Whether to leave the next step of `sequences` sequences alone. One sequence is always asked for: that costs next to nothing.
  package mutating func isDue(for sequences: Int) -> Bool {
    if !(self.sequences * 3 / 4...self.sequences * 5 / 4).contains(sequences) {
      self = ProposalBackoff()
      self.sequences = sequences
    }
    guard sequences > 1, asked >= Self.memory, !pays, skipped < pause else { return false }
    skipped += 1
    return true
  }

  private var pays: Bool { gain >= Self.margin * cost }

  /// Counts a step that asked.
  ///
  /// - Parameters:
  ///   - cost: time of asking over that of a plain pass.
  ///   - gain: tokens per second over those of plain decoding, less 1.
  package mutating func record(cost: Double, gain: Double) {
    let weight = 1 / Double(min(asked + 1, Self.memory))
    // What was not read in the steps before has been read now.
    self.cost += (cost / Double(skipped + 1) - self.cost) * weight
    self.gain += (gain - self.gain) * weight
    pause = gain > 0 || skipped == 0 ? Self.pauses.lowerBound : min(2 * pause, Self.pauses.upperBound)
    asked += 1
    skipped = 0
  }
}
