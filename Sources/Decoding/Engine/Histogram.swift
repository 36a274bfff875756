/// Counts of observations by upper bounds, as Prometheus has them.
public struct Histogram: Sendable, Equatable {
  /// Upper bounds, ascending; one more bucket takes the rest.
  public let bounds: [Double]
  /// Observations by bucket, `bounds.count + 1` of them.
  public private(set) var counts: [Int]
  /// Sum of what was observed.
  public private(set) var sum = 0.0

  /// A histogram without observations.
  public init(bounds: [Double]) {
    self.bounds = bounds
    counts = Array(repeating: 0, count: bounds.count + 1)
  }

  /// Counts a value.
  public mutating func observe(_ value: Double) {
    counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
    sum += value
  }

  /// Number of observations.
  public var count: Int { counts.reduce(0, +) }

  /// What was observed since `earlier`, a former state of this histogram.
  public func since(_ earlier: Histogram) -> Histogram {
    var rest = self
    for (index, count) in earlier.counts.enumerated() { rest.counts[index] -= count }
    rest.sum -= earlier.sum
    return rest
  }

  /// This histogram's observations and another's with the same bounds.
  public func adding(_ other: Histogram) -> Histogram {
    var both = self
    for (index, count) in other.counts.enumerated() { both.counts[index] += count }
    both.sum += other.sum
    return both
  }

  /// The value that a share of the observations does not exceed, as exact as the buckets are wide: as Prometheus'
  /// `histogram_quantile`, by a straight line within the bucket. `nil` without observations.
  public func quantile(_ share: Double) -> Double? {
    guard count > 0 else { return nil }
    let rank = share * Double(count)
    var below = 0.0
    for (index, bound) in bounds.enumerated() {
      let within = Double(counts[index])
      if within > 0, below + within >= rank {
        let start = index == 0 ? 0 : bounds[index - 1]
        return start + (bound - start) * (rank - below) / within
      }
      below += within
    }
    return bounds.last
  }
}
