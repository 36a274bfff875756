/// A latency over many requests or tokens, in milliseconds.
public struct LatencySummary: Sendable, Equatable {
  /// A share of the values lies at or below `milliseconds`.
  public struct Percentile: Sendable, Equatable, Codable {
    /// From 0 to 100.
    public let percent: Double
    public let milliseconds: Double

    public init(percent: Double, milliseconds: Double) {
      self.percent = percent
      self.milliseconds = milliseconds
    }
  }

  /// Values that it sums up.
  public let count: Int
  public let mean: Double
  public let median: Double
  /// Standard deviation of the values themselves.
  public let standardDeviation: Double
  /// Those asked for, ascending; 90 and 99 unless others were.
  public let percentiles: [Percentile]
  /// The value at every whole percent from 0 to 100: what a plot of the distribution needs. Empty when not kept.
  public let distribution: [Double]

  public init(
    count: Int, mean: Double, median: Double, standardDeviation: Double, percentiles: [Percentile],
    distribution: [Double] = []
  ) {
    self.count = count
    self.mean = mean
    self.median = median
    self.standardDeviation = standardDeviation
    self.percentiles = percentiles
    self.distribution = distribution
  }

  /// The value at a percentile that was asked for.
  public func milliseconds(at percent: Double) -> Double? {
    percentiles.first { $0.percent == percent }?.milliseconds
  }
}
