internal import Foundation

/// A chart as SVG primitives, laid out in a box of `width` × `height`; a template writes them.
///
/// Coordinates are texts with one decimal, so that the file stays small.
struct Chart: Sendable {
  /// How a series looks: a class of the style sheet.
  enum Style: String, Sendable, CaseIterable {
    case first, second, third, fourth, muted

    /// The next in order; after the last, the last.
    static func at(_ index: Int) -> Style { allCases[min(index, allCases.count - 1)] }
  }

  struct Line: Sendable {
    let x1, y1, x2, y2, style: String
  }
  struct Curve: Sendable {
    let points, style: String
  }
  struct Dot: Sendable {
    let x, y, style: String
    /// What a pointer over it shows.
    let hint: String
  }
  struct Label: Sendable {
    let x, y, anchor, style, text: String
  }
  struct Key: Sendable {
    let style, text: String
  }

  static let width = 460.0
  let title: String
  /// What it shows, for those who cannot see it.
  let summary: String
  let height: String
  let width = Chart.number(Chart.width)
  var keys: [Key] = []
  var lines: [Line] = []
  var curves: [Curve] = []
  var dots: [Dot] = []
  var labels: [Label] = []

  init(title: String, summary: String, height: Double) {
    self.title = title
    self.summary = summary
    self.height = Self.number(height)
  }

  mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ style: String) {
    lines.append(
      Line(x1: Self.number(x1), y1: Self.number(y1), x2: Self.number(x2), y2: Self.number(y2), style: style))
  }

  mutating func label(_ x: Double, _ y: Double, _ text: String, anchor: String = "middle", style: String = "tick") {
    labels.append(Label(x: Self.number(x), y: Self.number(y), anchor: anchor, style: style, text: text))
  }

  mutating func dot(_ x: Double, _ y: Double, _ style: Style, hint: String) {
    dots.append(Dot(x: Self.number(x), y: Self.number(y), style: style.rawValue, hint: hint))
  }

  mutating func curve(_ points: [(x: Double, y: Double)], _ style: String) {
    let text = points.map { "\(Self.number($0.x)),\(Self.number($0.y))" }.joined(separator: " ")
    curves.append(Curve(points: text, style: style))
  }

  static func number(_ value: Double) -> String {
    value.isFinite ? String(format: "%.1f", value) : "0.0"
  }
}

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
