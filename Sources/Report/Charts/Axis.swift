internal import Foundation

/// Values to positions along an axis, with round ticks.
struct Axis: Sendable {
  let lower, upper: Double
  let ticks: [Double]
  let isLogarithmic: Bool
  private let start, end: Double

  /// An axis from `start` to `end` pixels over values from `lower` to `upper`, rounded outwards to ticks.
  init(_ lower: Double, _ upper: Double, from start: Double, to end: Double, count: Int = 5) {
    let span = max(upper - lower, abs(upper) * 1e-6, 1e-12)
    let rough = span / Double(max(count, 1))
    let magnitude = pow(10, (log10(rough)).rounded(.down))
    let step = [1, 2, 2.5, 5, 10].map { $0 * magnitude }.first { $0 >= rough * 0.999 } ?? magnitude * 10
    let first = (lower / step + 1e-9).rounded(.down)
    let last = (upper / step - 1e-9).rounded(.up)
    ticks = stride(from: first, through: max(last, first + 1), by: 1).map { $0 * step }
    (self.lower, self.upper) = (ticks[0], ticks[ticks.count - 1])
    isLogarithmic = false
    (self.start, self.end) = (start, end)
  }

  /// An axis whose ticks are the given values, ascending and positive, spaced by their logarithms.
  init(logarithmic values: [Double], from start: Double, to end: Double) {
    ticks = values
    (lower, upper) = (values.first ?? 1, values.last ?? 2)
    isLogarithmic = true
    (self.start, self.end) = (start, end)
  }

  func position(_ value: Double) -> Double {
    let (low, high, place) = isLogarithmic ? (log2(lower), log2(upper), log2(max(value, 1e-12))) : (lower, upper, value)
    guard high > low else { return (start + end) / 2 }
    return start + (end - start) * (min(max(place, low), high) - low) / (high - low)
  }

  /// A tick's text.
  static func text(_ value: Double) -> String {
    if value == value.rounded(), abs(value) < 1e6 { return String(format: "%.0f", value) }
    let digits = abs(value) >= 10 ? 0 : abs(value) >= 1 ? 2 : 3
    var text = String(format: "%.\(digits)f", value)
    while text.contains("."), text.hasSuffix("0") || text.hasSuffix(".") { text.removeLast() }
    return text
  }
}
