/// The merges of a BPE model: for a pair of neighbouring token ids, the rank of its merge and the id that results.
struct MergeTable: Sendable {
  /// A merge as one number, so that the smallest is the one to do first: rank in the high half, resulting id in the low.
  typealias Merge = UInt64

  /// Greater than every merge: the pair does not merge.
  static let none = Merge.max

  /// Pairs and their merges side by side; `vacant` marks a free entry. The number of entries is a power of two.
  private var entries: [UInt64]
  private let mask: Int
  private static let vacant = UInt64.max

  init(capacity: Int) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    entries = [UInt64](repeating: Self.vacant, count: size * 2)
    mask = size - 1
  }

  static func rank(of merge: Merge) -> Int { Int(merge >> 32) }
  static func result(of merge: Merge) -> TokenID { TokenID(truncatingIfNeeded: merge) }

  /// Sets the merge of a pair; a later one takes the place of an earlier one.
  mutating func insert(left: TokenID, right: TokenID, rank: Int, result: TokenID) {
    let key = Self.key(left, right)
    let entry = self.entry(of: key)
    entries[entry] = key
    entries[entry + 1] = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: result))
  }

  /// The merge of a pair, `none` if the two do not merge.
  func merge(left: TokenID, right: TokenID) -> Merge {
    entries[entry(of: Self.key(left, right)) + 1]
  }

  private static func key(_ left: TokenID, _ right: TokenID) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  private func entry(of key: UInt64) -> Int {
    var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
    while entries[slot * 2] != key, entries[slot * 2] != Self.vacant { slot = (slot + 1) & mask }
    return slot * 2
  }
}
