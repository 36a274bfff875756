internal import Tokenization

/// The children of a trie's nodes: (parent, token) to child. Open addressing; edges are never removed.
///
/// Suffix decoding follows and adds dozens of edges per token, so that a lookup must not cost more than a cache miss.
struct EdgeTable {
  /// Parent and token of each slot, child 0 for an empty one: a node 0 is the root, nobody's child.
  private var keys: [UInt64]
  private var children: [Int32]
  private var count = 0

  init() {
    keys = Array(repeating: 0, count: 64)
    children = Array(repeating: 0, count: 64)
  }

  /// The child of `parent` that `token` leads to; 0 for none.
  func child(of parent: Int32, by token: TokenID) -> Int32 { children[slot(of: Self.key(parent, token))] }

  /// The child of `parent` that `token` leads to; `next`, from now on, if there is none yet.
  mutating func child(of parent: Int32, by token: TokenID, orAdd next: Int32) -> Int32 {
    let key = Self.key(parent, token)
    let slot = slot(of: key)
    guard children[slot] == 0 else { return children[slot] }
    keys[slot] = key
    children[slot] = next
    count += 1
    if count * 2 > keys.count { grow() }
    return next
  }

  private static func key(_ parent: Int32, _ token: TokenID) -> UInt64 {
    UInt64(UInt32(bitPattern: parent)) << 32 | UInt64(UInt32(bitPattern: token))
  }

  /// The slot that holds `key`, or the empty one where it belongs.
  private func slot(of key: UInt64) -> Int {
    let mask = keys.count - 1
    // Fibonacci hashing: the high bits of the product depend on all bits of the key.
    var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
    while children[slot] != 0, keys[slot] != key { slot = (slot + 1) & mask }
    return slot
  }

  private mutating func grow() {
    let (oldKeys, oldChildren) = (keys, children)
    keys = Array(repeating: 0, count: 2 * oldKeys.count)
    children = Array(repeating: 0, count: 2 * oldKeys.count)
    for (key, child) in zip(oldKeys, oldChildren) where child != 0 {
      let slot = slot(of: key)
      keys[slot] = key
      children[slot] = child
    }
  }
}
