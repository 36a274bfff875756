/// A set of byte strings numbered in the order of their insertion, held in one buffer.
///
/// Lookup is by hash with linear probing, O(length of the string) on average; nothing is allocated per string.
struct ByteStringTable: Sendable {
  private var pool: [UInt8] = []
  /// String `index` is `pool[offsets[index]..<offsets[index + 1]]`.
  private var offsets: [Int] = [0]
  /// Index of a string, or −1; the length is a power of two and at most five eighths are in use.
  private var slots: [Int32]

  init(minimumCapacity: Int = 0) {
    var size = 16
    while size * 5 / 8 < minimumCapacity { size *= 2 }
    slots = [Int32](repeating: -1, count: size)
  }

  var count: Int { offsets.count - 1 }

  subscript(index: Int) -> ArraySlice<UInt8> { pool[offsets[index]..<offsets[index + 1]] }

  /// Adds `string` unless it is there; gives its index and whether it is new.
  mutating func insert(_ string: ArraySlice<UInt8>) -> (index: Int, isNew: Bool) {
    let slot = slot(of: string)
    if slots[slot] >= 0 { return (Int(slots[slot]), false) }
    let index = count
    slots[slot] = Int32(truncatingIfNeeded: index)
    pool.append(contentsOf: string)
    offsets.append(pool.count)
    if count > slots.count * 5 / 8 { grow() }
    return (index, true)
  }

  func index(of string: ArraySlice<UInt8>) -> Int? {
    let index = slots[slot(of: string)]
    return index < 0 ? nil : Int(index)
  }

  /// The slot that holds `string`, or the free one where it belongs.
  private func slot(of string: ArraySlice<UInt8>) -> Int {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hashOfBytes(string)) & mask
    while slots[slot] >= 0, self[Int(slots[slot])] != string { slot = (slot + 1) & mask }
    return slot
  }

  private mutating func grow() {
    slots = [Int32](repeating: -1, count: slots.count * 2)
    for index in 0..<count { slots[slot(of: self[index])] = Int32(truncatingIfNeeded: index) }
  }
}

/// FNV-1a over the bytes, folded so that the low bits are well mixed.
func hashOfBytes(_ bytes: ArraySlice<UInt8>) -> UInt64 {
  var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
  return hash ^ hash >> 29
}
