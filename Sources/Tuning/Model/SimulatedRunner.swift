internal import Decoding

/// Passes that are not computed: what they would take, and which rows they have.
struct SimulatedRunner: Sendable {
  /// What passes came to.
  struct Work: Sendable {
    var seconds = 0.0
    var (rows, logitRows) = (0, 0)
    var positions = 0.0
  }

  /// A request that asks its proposer.
  struct Asking: Sendable {
    /// Tokens that are known, and how many of them the draft has read.
    let known, drafted: Int
    let proposed: Int
  }

  let costs: ServingSimulation.Costs
  /// Most rows of one pass of the draft.
  let draftRows: Int

  /// The target's pass over shares and the proposals of each.
  func pass(_ shares: [Scheduler.Share], proposed: [Int]) -> Work {
    var work = Work()
    for (share, proposed) in zip(shares, proposed) {
      let rows = share.positions.count + proposed
      work.rows += rows
      work.logitRows += share.logitCount + proposed
      work.positions += Self.positions(rows: rows, from: share.positions.lowerBound)
    }
    work.seconds = costs.target.seconds(rows: work.rows, logitRows: work.logitRows, positions: work.positions)
    return work
  }

  /// The passes of the draft before it, or a free proposer's time.
  func propose(_ asking: [Asking]) -> Work {
    var work = Work()
    guard let draft = costs.draft, !asking.isEmpty else {
      work.seconds = costs.proposing * Double(asking.count)
      return work
    }
    func add(rows: Int, logitRows: Int, positions: Double) {
      work.seconds += draft.seconds(rows: rows, logitRows: logitRows, positions: positions)
      work.rows += rows
      work.logitRows += logitRows
    }
    guard !costs.draftsBlocks else {
      let drafting = asking.filter { $0.proposed > 0 }
      guard !drafting.isEmpty else { return work }
      let proposed = drafting.reduce(0) { $0 + $1.proposed }
      add(
        rows: drafting.count + proposed, logitRows: proposed,
        positions: drafting.reduce(0) { $0 + Self.positions(rows: $1.proposed + 1, from: $1.known - 1) })
      return work
    }
    // What the draft has not read of a sequence; long gaps are read in passes of their own.
    let room = max(1, draftRows / asking.count)
    var (rows, positions) = (0, 0.0)
    for one in asking {
      var drafted = one.drafted
      while one.known - drafted > room {
        let count = min(draftRows, one.known - 1 - drafted)
        add(rows: count, logitRows: 0, positions: Self.positions(rows: count, from: drafted))
        drafted += count
      }
      rows += one.known - drafted
      positions += Self.positions(rows: one.known - drafted, from: drafted)
    }
    for step in 0..<(asking.map(\.proposed).max() ?? 0) {
      let drafting = asking.filter { $0.proposed > step }
      if step > 0 {
        rows = drafting.count
        positions = drafting.reduce(0) { $0 + Double($1.known + step) }
      }
      add(rows: rows, logitRows: drafting.count, positions: positions)
    }
    return work
  }

  /// Positions that `rows` rows from position `first` on look back at.
  private static func positions(rows: Int, from first: Int) -> Double {
    Double(rows) * (Double(first) + Double(rows + 1) / 2)
  }
}
