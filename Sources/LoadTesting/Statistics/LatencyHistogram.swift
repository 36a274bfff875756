internal import Histogram

/// Latencies of any number of requests: percentiles from an HDR histogram (three digits, nanoseconds), mean and standard
/// deviation of the values themselves.
package struct LatencyHistogram {
  private var histogram = Histogram<UInt64>(
    highestTrackableValue: 86_400_000_000_000, numberOfSignificantValueDigits: .three)
  private var count = 0
  private var mean = 0.0
  private var squares = 0.0

  package init() {}

  /// Adds a latency in seconds. Values under 0 count as 0, those above a day as a day.
  package mutating func add(_ seconds: Double) {
    guard seconds.isFinite else { return }
    let nanoseconds = min(max(seconds * 1e9, 0), 86_400_000_000_000)
    histogram.record(UInt64(nanoseconds.rounded()))
    count += 1
    // Welford 1962.
    let difference = seconds - mean
    mean += difference / Double(count)
    squares += difference * (seconds - mean)
  }

  /// In milliseconds; `nil` without values.
  package func summary(percentiles: [Double], withDistribution: Bool = true) -> LatencySummary? {
    guard count > 0 else { return nil }
    return LatencySummary(
      count: count, mean: mean * 1000, median: value(at: 50),
      standardDeviation: (squares / Double(count)).squareRoot() * 1000,
      percentiles: percentiles.sorted().map { .init(percent: $0, milliseconds: value(at: $0)) },
      distribution: withDistribution ? (0...100).map { value(at: Double($0)) } : [])
  }

  private func value(at percent: Double) -> Double {
    Double(percent == 0 ? histogram.min : histogram.valueAtPercentile(percent)) / 1e6
  }
}
