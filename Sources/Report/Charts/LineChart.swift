internal import Presentation

/// Curves over two axes with units.
struct LineChart: Sendable {
  struct Point: Sendable {
    let x, y: Double
    /// Ends of a confidence interval.
    var lower: Double?
    var upper: Double?
  }

  struct Series: Sendable {
    let name: String
    let style: Chart.Style
    let points: [Point]
    /// Whether its points are marked.
    var hasDots = true
    var isDashed = false
  }

  var title, summary, xTitle, yTitle: String
  var series: [Series]
  /// The axes begin at 0, unless told otherwise.
  var xBeginsAtZero = true
  var yBeginsAtZero = true
  /// Ticks of a logarithmic horizontal axis.
  var xTicks: [Double]?
  /// A value of the vertical axis to mark.
  var reference: Double?
  /// The largest value of the vertical axis, where it is known.
  var yLimit: Double?
  /// Ticks of the horizontal axis are whole numbers.
  var xIsWhole = false

  /// Holds every point, and of intervals as much as leaves the points room.
  private func verticalRange(_ points: [Point]) -> (lowest: Double, highest: Double) {
    let values = points.map(\.y) + [reference].compactMap(\.self)
    let (low, high) = (values.min() ?? 0, values.max() ?? 1)
    let room = max(high - low, abs(high) * 0.2)
    let ends = points.flatMap { [$0.lower, $0.upper].compactMap(\.self) }.filter {
      $0 >= low - room && $0 <= high + room
    }
    return (min(low, ends.min() ?? low), yLimit ?? max(high, ends.max() ?? high))
  }

  /// The chart; `nil` without points.
  var chart: Chart? {
    let points = series.flatMap(\.points).filter { $0.x.isFinite && $0.y.isFinite }
    guard let lowestX = points.map(\.x).min(), let highestX = points.map(\.x).max() else { return nil }
    let (lowestY, highestY) = verticalRange(points)
    let (left, right, top, bottom) = (54.0, Chart.width - 14, 30.0, 242.0)
    let xAxis =
      xTicks.map { Axis(logarithmic: $0, from: left, to: right) }
      ?? Axis(xBeginsAtZero ? 0 : lowestX, highestX, from: left, to: right, count: xIsWhole ? 8 : 5)
    let yAxis = Axis(yBeginsAtZero ? 0 : lowestY, highestY, from: bottom, to: top)
    var chart = Chart(title: title, summary: summary, height: 288)
    for tick in yAxis.ticks {
      let y = yAxis.position(tick)
      chart.line(left, y, right, y, "grid")
      chart.label(left - 8, y + 4, Axis.text(tick), anchor: "end")
    }
    for tick in xAxis.ticks where !xIsWhole || tick == tick.rounded() {
      let x = xAxis.position(tick)
      chart.line(x, bottom, x, bottom + 4, "axis")
      chart.label(x, bottom + 19, Axis.text(tick))
    }
    chart.line(left, bottom, right, bottom, "axis")
    chart.label((left + right) / 2, bottom + 40, xTitle, style: "axis-title")
    if let reference { chart.line(left, yAxis.position(reference), right, yAxis.position(reference), "reference") }
    for one in series {
      let placed = one.points.filter { $0.x.isFinite && $0.y.isFinite }
      for point in placed {
        guard let lower = point.lower, let upper = point.upper else { continue }
        let x = xAxis.position(point.x)
        chart.line(x, yAxis.position(lower), x, yAxis.position(upper), "whisker \(one.style.rawValue)")
      }
      chart.curve(
        placed.map { (xAxis.position($0.x), yAxis.position($0.y)) },
        one.style.rawValue + (one.isDashed ? " dashed" : ""))
      guard one.hasDots else { continue }
      for point in placed {
        let interval = point.lower.flatMap { lower in
          point.upper.map { " (\(Axis.text(lower)) to \(Axis.text($0)))" }
        }
        chart.dot(
          xAxis.position(point.x), yAxis.position(point.y), one.style,
          hint: "\(one.name): \(Axis.text(point.y))\(interval ?? "") at \(Axis.text(point.x))")
      }
    }
    chart.label(left - 46, top - 18, yTitle, anchor: "start", style: "axis-title")
    chart.keys = series.map { Chart.Key(style: $0.style.rawValue + ($0.isDashed ? " dashed" : ""), text: $0.name) }
    return chart
  }
}

extension LineChart {
  /// Rates, 0 to 1, by position of the window.
  static func acceptance(_ title: String, summary: String, _ curves: [(name: String, rates: [Double])]) -> Chart? {
    let series = curves.enumerated().filter { !$1.rates.isEmpty }.map { index, curve in
      Series(
        name: curve.name, style: Chart.Style.at(index),
        points: curve.rates.enumerated().map { Point(x: Double($0 + 1), y: $1 * 100) })
    }
    return LineChart(
      title: title, summary: summary, xTitle: "position in the window", yTitle: "% accepted", series: series,
      xBeginsAtZero: false, yLimit: 100, xIsWhole: true
    ).chart
  }
}
