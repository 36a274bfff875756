/// A binary min-heap of merges that wait: lowest rank first, then leftmost position.
struct MergeHeap: Sendable {
  /// Rank in the high half, position in the low, so that one comparison orders both.
  private var entries: [UInt64] = []

  mutating func removeAll() { entries.removeAll(keepingCapacity: true) }

  mutating func push(rank: Int, position: Int) {
    let entry = UInt64(rank) << 32 | UInt64(UInt32(truncatingIfNeeded: position))
    var index = entries.count
    entries.append(entry)
    while index > 0 {
      let parent = (index - 1) / 2
      guard entry < entries[parent] else { break }
      entries[index] = entries[parent]
      index = parent
    }
    entries[index] = entry
  }

  mutating func pop() -> (rank: Int, position: Int)? {
    guard let top = entries.first, let last = entries.popLast() else { return nil }
    var index = 0
    while true {
      var child = 2 * index + 1
      guard child < entries.count else { break }
      if child + 1 < entries.count, entries[child + 1] < entries[child] { child += 1 }
      guard entries[child] < last else { break }
      entries[index] = entries[child]
      index = child
    }
    if index < entries.count { entries[index] = last }
    return (Int(top >> 32), Int(UInt32(truncatingIfNeeded: top)))
  }
}
