/// How many tokens a server's steps bring, guessed from when events arrive: for servers that do not count what they accept.
///
/// What one step brings arrives together: in one event, or in events close to each other. A gap that is longer than a
/// quarter of the request's long gaps (their 95th percentile) is taken for the time between two steps. Without
/// speculation the estimate is about 1; with it, about the acceptance length.
package struct StepEstimate {
  private static let longGap = 0.95
  private static let share = 0.25
  /// Fewer gaps than this tell nothing.
  private static let fewestGaps = 16

  package private(set) var steps = 0
  package private(set) var tokens = 0

  package init() {}

  /// `nil` until there is a step.
  package var tokensPerStep: Double? { steps > 0 ? Double(tokens) / Double(steps) : nil }

  /// Adds an answer's events.
  package mutating func add(_ all: [RequestRecord.Event]) {
    let events = all.filter { $0.tokens > 0 }
    let gaps = zip(events.dropFirst(), events).map { $0.time - $1.time }
    guard gaps.count >= Self.fewestGaps else { return }
    let long = gaps.sorted()[Int(Self.longGap * Double(gaps.count - 1))]
    guard long > 0 else { return }
    // The last step may have been cut short by the limit on tokens, so it ends the count and is not in it.
    guard let last = gaps.lastIndex(where: { $0 > Self.share * long }) else { return }
    var began = false
    for (index, gap) in gaps[..<last].enumerated() {
      if gap > Self.share * long {
        steps += 1
        began = true
      }
      // What came with the first event belongs to a step whose beginning was not seen.
      if began { tokens += events[index + 1].tokens }
    }
  }
}
