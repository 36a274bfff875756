/// A set of byte values.
struct ByteSet: Sendable, Hashable {
  private var words = SIMD4<UInt64>()

  /// Every byte.
  static let all = ByteSet(UInt8.min...UInt8.max)

  init() {}
  init(_ bytes: some Sequence<UInt8>) { for byte in bytes { insert(byte) } }

  func contains(_ byte: UInt8) -> Bool { words[Int(byte >> 6)] >> UInt64(byte & 63) & 1 == 1 }
  mutating func insert(_ byte: UInt8) { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }
}
