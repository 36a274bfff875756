/// A set of byte values.
struct ByteSet: Sendable, Hashable {
  private var words = SIMD4<UInt64>()

  init() {}
  init(_ bytes: some Sequence<UInt8>) { for byte in bytes { insert(byte) } }

  static let all = ByteSet(0...255)

  func contains(_ byte: UInt8) -> Bool { words[Int(byte >> 6)] >> UInt64(byte & 63) & 1 == 1 }
  mutating func insert(_ byte: UInt8) { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }
  mutating func remove(_ byte: UInt8) { words[Int(byte >> 6)] &= ~(1 << UInt64(byte & 63)) }
  mutating func formUnion(_ other: ByteSet) { words |= other.words }

  var isEmpty: Bool { words == SIMD4() }
  var count: Int { (0..<4).reduce(0) { $0 + words[$1].nonzeroBitCount } }
  /// The smallest member.
  var first: UInt8? {
    for index in 0..<4 where words[index] != 0 { return UInt8(index * 64 + words[index].trailingZeroBitCount) }
    return nil
  }
}
