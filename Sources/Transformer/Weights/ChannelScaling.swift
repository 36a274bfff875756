/// Powers of two that move between what writes a layer's channels and the matrices that read them, so that no channel's
/// weights are lost beside the others' when groups of them are rounded to one scale.
///
/// A channel whose weights are far below their neighbours' has inputs that are as far above: the product is what it would
/// be, but rounding would take the weights for zeros. Multiplying the weights by a power of two and dividing the channel's
/// source (a norm's weight, a row of the up or value projection) by it changes no result by a bit.
enum ChannelScaling {
  /// Channels within this power of two of the usual magnitude are left as they are.
  private static let tolerance = 2

  /// Powers of two that bring channels' weights, whose largest are `peaks`, nearer to their median where that brings their
  /// `sources` (a norm's weights, or the largest weights of the rows that write them) nearer to theirs as well; `nil`
  /// where there are none. What rounding would gain on one side alone it would lose on the other.
  static func exponents(levelling peaks: [Float], and sources: [Float]) -> [Int8]? {
    guard let median = median(of: peaks), let usual = self.median(of: sources) else { return nil }
    let exponents = zip(peaks, sources).map { peak, source -> Int8 in
      let (above, below) = (nearestPowerOfTwo(median / peak), nearestPowerOfTwo(abs(source) / usual))
      guard above.signum() == below.signum() else { return 0 }
      let distance = min(abs(above), abs(below), 30)
      return distance < tolerance ? 0 : Int8(clamping: above.signum() * distance)
    }
    return exponents.contains { $0 != 0 } ? exponents : nil
  }

  /// Powers of two, alike for the two channels that a rotation mixes, that bring a head's keys near one magnitude: what its
  /// keys are multiplied by, its queries are divided by. An outlier among keys would take the digits of an int8 KV cache;
  /// queries are floats, where it takes nothing.
  ///
  /// - Parameter rotated: channels that are rotated, the first ones: channel `i` with `i + rotated / 2`.
  static func exponents(levellingKeys norm: [Float], rotated: Int) -> [Int8] {
    let half = rotated / 2
    let pairs = (0..<half).map { max(abs(norm[$0]), abs(norm[$0 + half])) } + norm[(2 * half)...].map { abs($0) }
    guard let median = median(of: pairs) else { return norm.map { _ in 0 } }
    let exponents = pairs.map { Int8(clamping: max(-10, min(10, nearestPowerOfTwo(median / $0)))) }
    return Array(exponents[..<half] + exponents)
  }

  private static func median(of magnitudes: [Float]) -> Float? {
    let present = magnitudes.map { abs($0) }.filter { $0 > 0 && $0.isFinite }.sorted()
    return present.isEmpty ? nil : present[present.count / 2]
  }

  /// The integer nearest to the logarithm to base 2 of a ratio, zero for one that is no positive number.
  private static func nearestPowerOfTwo(_ ratio: Float) -> Int {
    guard ratio > 0, ratio.isFinite else { return 0 }
    return Int(ratio.exponent) + (ratio.significand >= Float(2).squareRoot() ? 1 : 0)
  }

  /// Largest magnitudes by channel of a KV head, of peaks by channel of a query head: query heads that share a KV head
  /// share its exponents.
  static func sharedPeaks(_ peaks: [Float], kvHeadCount: Int, headSize: Int) -> [Float] {
    let group = peaks.count / headSize / kvHeadCount
    return (0..<kvHeadCount * headSize).map { channel in
      let (head, place) = channel.quotientAndRemainder(dividingBy: headSize)
      return (0..<group).reduce(0) { max($0, peaks[(head * group + $1) * headSize + place]) }
    }
  }

  /// Exponents by channel of a query head, of those by channel of a KV head.
  static func spread(_ exponents: [Int8], headCount: Int, headSize: Int) -> [Int8] {
    let group = headCount * headSize / exponents.count
    return (0..<headCount).flatMap { head in exponents[head / group * headSize..<(head / group + 1) * headSize] }
  }

  /// Exponents by channel of a KV head, of those by channel of a query head.
  static func gathered(_ exponents: [Int8], kvHeadCount: Int, headSize: Int) -> [Int8] {
    let group = exponents.count / headSize / kvHeadCount
    return (0..<kvHeadCount).flatMap { head in exponents[head * group * headSize..<(head * group) * headSize + headSize]
    }
  }

  static func negated(_ exponents: [Int8]) -> [Int8] { exponents.map { -$0 } }

  /// `values` divided by two to the powers `exponents`.
  static func divide(_ values: [Float], by exponents: [Int8]?) -> [Float] {
    guard let exponents else { return values }
    return zip(values, exponents).map { Float(sign: .plus, exponent: -Int($1), significand: $0) }
  }
}
