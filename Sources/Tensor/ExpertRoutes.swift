/// Which experts the rows of a pass go through. Rows are grouped by expert, so that each expert's weights are read once.
package struct ExpertRoutes: Sendable {
  /// The rows of one expert, at consecutive places.
  package struct Group: Sendable, Equatable {
    package let expert: Int
    package let places: Range<Int>
  }

  /// Those that any row goes through, ascending.
  package private(set) var groups: [Group] = []
  /// The row of each place; ascending within a group.
  package private(set) var rows: [Int]
  /// Places and shares by row, `[rows, experts of a row]`; those of a row ascend.
  private(set) var placesByRow: [Int]
  private(set) var shares: [Float]
  /// Experts that each row goes through.
  let chosenCount: Int

  /// - Parameters:
  ///   - experts: those of each row in any order, `[rows, chosenCount]`.
  ///   - shares: how much each of them counts.
  ///   - count: number of experts.
  init(_ experts: [UInt32], shares found: [Float], chosenCount: Int, of count: Int) {
    self.chosenCount = chosenCount
    var ends = [Int](repeating: 0, count: count)
    for expert in experts { ends[Int(expert)] += 1 }
    var start = 0
    for expert in 0..<count where ends[expert] > 0 {
      groups.append(Group(expert: expert, places: start..<start + ends[expert]))
      (start, ends[expert]) = (start + ends[expert], start)
    }
    rows = [Int](repeating: 0, count: experts.count)
    placesByRow = rows
    shares = [Float](repeating: 0, count: experts.count)
    for row in 0..<experts.count / chosenCount {
      let own = row * chosenCount..<(row + 1) * chosenCount
      for (index, choice) in own.sorted(by: { experts[$0] < experts[$1] }).enumerated() {
        let place = ends[Int(experts[choice])]
        ends[Int(experts[choice])] += 1
        rows[place] = row
        placesByRow[own.lowerBound + index] = place
        shares[own.lowerBound + index] = found[choice]
      }
    }
  }
}
