internal import Foundation

/// Confidence intervals by resampling (Efron 1979): the percentile method.
package struct Bootstrap: Sendable {
  package let confidence: Double
  package let resamples: Int
  package let seed: UInt64

  package init(confidence: Double = 0.95, resamples: Int = 2000, seed: UInt64 = 0) {
    (self.confidence, self.resamples, self.seed) = (confidence, resamples, seed)
  }

  /// The fewest values that an interval can follow from: of fewer, all may lie on one side of the true value by chance
  /// more often than the confidence allows.
  package var leastValues: Int { Int(log2(2 / (1 - confidence)).rounded(.up)) }

  /// The interval of a statistic of `values`; each stratum is resampled by itself, whole values at a time, so that pairs
  /// stay pairs.
  ///
  /// - Returns: `nil` if there are fewer than `leastValues`, or the statistic is never a number.
  package func interval<Value>(
    strata: [[Value]], _ statistic: ([Value]) -> Double
  ) -> (lower: Double, upper: Double)? {
    let strata = strata.filter { !$0.isEmpty }
    guard !strata.isEmpty, strata.reduce(0, { $0 + $1.count }) >= leastValues, resamples > 0 else { return nil }
    var random = SeededRandom(seed: seed)
    var found: [Double] = []
    for _ in 0..<resamples {
      var sample: [Value] = []
      for stratum in strata {
        for _ in stratum { sample.append(stratum[Int.random(in: stratum.indices, using: &random)]) }
      }
      let value = statistic(sample)
      if value.isFinite { found.append(value) }
    }
    guard !found.isEmpty else { return nil }
    found.sort()
    let tail = (1 - confidence) / 2
    return (Self.quantile(found, tail), Self.quantile(found, 1 - tail))
  }

  /// Of ascending values, between the two nearest.
  static func quantile(_ sorted: [Double], _ share: Double) -> Double {
    let place = share * Double(sorted.count - 1)
    let below = Int(place)
    let above = min(below + 1, sorted.count - 1)
    return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
  }
}
