/// The middle of repeated measurements, and how far they lie apart.
package struct Spread: Sendable, Codable, Equatable {
  /// Half of the values lie below.
  package let median: Double
  /// A quarter of the values lie below.
  package let lowerQuartile: Double
  /// A quarter of the values lie above.
  package let upperQuartile: Double
  /// The smallest value.
  package let minimum: Double

  /// Of at least one value.
  package init(_ values: [Double]) {
    precondition(!values.isEmpty)
    let sorted = values.sorted()
    func quantile(_ share: Double) -> Double {
      let place = share * Double(sorted.count - 1)
      let below = Int(place)
      let above = min(below + 1, sorted.count - 1)
      return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
    }
    median = quantile(0.5)
    lowerQuartile = quantile(0.25)
    upperQuartile = quantile(0.75)
    minimum = sorted[0]
  }
}
