/// Which head of a small model each head of the expanded one computes.
package struct HeadPlan: Equatable {
  /// What a query head of the expanded model is.
  package enum Query: Equatable {
    /// The small model's head; the output projection reads it.
    case original(Int)
    /// The same head again, in a place where its keys and values are another's; nothing reads it.
    case copy(Int)
    /// Reads keys of its own and values of zero.
    case idle
  }

  /// What a key and value head is: the small model's head, or none (its values are zero).
  package let keyValues: [Int?]
  package let queries: [Query]

  /// A plan that keeps every query with its own keys and values, or `nil` when there are too few heads for that.
  package init?(heads: Int, kvHeads: Int, expandedHeads: Int, expandedKVHeads: Int) {
    let (group, expandedGroup) = (heads / kvHeads, expandedHeads / expandedKVHeads)
    // A group of queries that is larger than the expanded one is spread over copies of its keys and values.
    let copies = (group + expandedGroup - 1) / expandedGroup
    guard kvHeads * copies <= expandedKVHeads else { return nil }
    keyValues = (0..<expandedKVHeads).map { $0 < kvHeads * copies ? $0 / copies : nil }
    queries = (0..<expandedHeads).map { head in
      let (place, slot) = head.quotientAndRemainder(dividingBy: expandedGroup)
      guard place < kvHeads * copies else { return .idle }
      let member = place % copies * expandedGroup + slot
      let first = place / copies * group
      // A place left over repeats a head, so that it changes no maximum by which activations are scaled.
      return member < group ? .original(first + member) : .copy(first + place % copies * expandedGroup)
    }
  }
}
