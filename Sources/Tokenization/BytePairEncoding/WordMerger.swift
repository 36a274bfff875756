/// Merges the first tokens of one word, lowest rank first and leftmost among equals, reusing its buffers between words.
struct WordMerger: Sendable {
  /// Up to this many symbols a scan for the lowest rank is faster than a heap; beyond it the scan would be quadratic.
  private static let longestScan = 48

  private var symbols: [TokenID] = []
  /// Scan: the merge of symbol i with the next one.
  private var merges: [MergeTable.Merge] = []
  /// Heap: neighbours of each symbol, −1 at the ends; a symbol that was merged away has the id −1.
  private var previous: [Int32] = []
  private var next: [Int32] = []
  private var heap = MergeHeap()

  /// Appends the tokens of `word` to `output`.
  mutating func append(
    word: ArraySlice<UInt8>, alphabet: BaseAlphabet, table: MergeTable, to output: inout [TokenID]
  ) {
    symbols.removeAll(keepingCapacity: true)
    alphabet.append(word, to: &symbols)
    if symbols.count > Self.longestScan {
      mergeByHeap(table)
      output.append(contentsOf: symbols.lazy.filter { $0 >= 0 })
    } else {
      if symbols.count > 1 { mergeByScan(table) }
      output.append(contentsOf: symbols)
    }
  }

  private mutating func mergeByScan(_ table: MergeTable) {
    merges.removeAll(keepingCapacity: true)
    for index in 1..<symbols.count {
      merges.append(table.merge(left: symbols[index - 1], right: symbols[index]))
    }
    while true {
      var best = MergeTable.none
      var position = 0
      for index in merges.indices where merges[index] < best {
        best = merges[index]
        position = index
      }
      if best == MergeTable.none { return }
      symbols[position] = MergeTable.result(of: best)
      symbols.remove(at: position + 1)
      merges.remove(at: position)
      if position > 0 {
        merges[position - 1] = table.merge(left: symbols[position - 1], right: symbols[position])
      }
      if position < merges.count {
        merges[position] = table.merge(left: symbols[position], right: symbols[position + 1])
      }
    }
  }

  /// O(n log n): a heap of merges over a doubly linked list of symbols. An entry whose pair has changed since is passed over.
  private mutating func mergeByHeap(_ table: MergeTable) {
    let count = symbols.count
    previous.removeAll(keepingCapacity: true)
    next.removeAll(keepingCapacity: true)
    heap.removeAll()
    for index in 0..<count {
      previous.append(Int32(truncatingIfNeeded: index - 1))
      next.append(index + 1 < count ? Int32(truncatingIfNeeded: index + 1) : -1)
    }
    for index in 0..<count - 1 { push(index, table) }
    while let (rank, position) = heap.pop() {
      let right = Int(next[position])
      guard symbols[position] >= 0, right >= 0 else { continue }
      let merge = table.merge(left: symbols[position], right: symbols[right])
      guard merge != MergeTable.none, MergeTable.rank(of: merge) == rank else { continue }
      symbols[position] = MergeTable.result(of: merge)
      symbols[right] = -1
      next[position] = next[right]
      if next[position] >= 0 { previous[Int(next[position])] = Int32(truncatingIfNeeded: position) }
      if previous[position] >= 0 { push(Int(previous[position]), table) }
      if next[position] >= 0 { push(position, table) }
    }
  }

  private mutating func push(_ position: Int, _ table: MergeTable) {
    let merge = table.merge(left: symbols[position], right: symbols[Int(next[position])])
    if merge != MergeTable.none { heap.push(rank: MergeTable.rank(of: merge), position: position) }
  }
}
