/// A latency over many requests or tokens, in milliseconds.
package struct LatencySummary: Sendable, Equatable {
  /// A share of the values lies at or below `milliseconds`.
  package struct Percentile: Sendable, Equatable, Codable {
    /// From 0 to 100.
    package let percent: Double
    package let milliseconds: Double
  }

  /// Values that it sums up.
  package let count: Int
  package let mean, median: Double
  /// Standard deviation of the values themselves.
  package let standardDeviation: Double
  /// Those asked for, ascending; 90 and 99 unless others were.
  package let percentiles: [Percentile]
  /// The value at every whole percent from 0 to 100: what a plot of the distribution needs. Empty when not kept.
  package let distribution: [Double]

  /// The value at a percentile that was asked for.
  package func milliseconds(at percent: Double) -> Double? {
    percentiles.first { $0.percent == percent }?.milliseconds
  }
}
