/// Counter-based random numbers: Philox4x32 with 10 rounds.
///
/// A pure function from (key, counter) to 128 random bits, so that the noise of an output position can be computed
/// by whoever needs it, draft or target, in any order.
///
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
package struct Philox {
  /// 64 bits that select the stream.
  package let key: UInt64

  /// The stream of `key`.
  package init(key: UInt64) { self.key = key }

  /// The four random words of `counter`.
  package func words(at counter: SIMD4<UInt32>) -> SIMD4<UInt32> {
    var (x, y, z, w) = (counter.x, counter.y, counter.z, counter.w)
    var low = UInt32(truncatingIfNeeded: key)
    var high = UInt32(truncatingIfNeeded: key >> 32)
    for _ in 0..<10 {
      let first = x.multipliedFullWidth(by: 0xD251_1F53 as UInt32)
      let second = z.multipliedFullWidth(by: 0xCD9E_8D57 as UInt32)
      (x, y, z, w) = (second.high ^ y ^ low, second.low, first.high ^ w ^ high, first.low)
      low &+= 0x9E37_79B9
      high &+= 0xBB67_AE85
    }
    return SIMD4(x, y, z, w)
  }
}
