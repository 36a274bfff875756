internal import Presentation

/// Ratios with their confidence intervals, one row each, around the line where nothing changes.
struct IntervalChart: Sendable {
  struct Entry: Sendable {
    let name: String
    let ratio, lower, upper: Double
    /// Whether it sums up the others.
    var isTotal = false
  }

  var title, summary, xTitle: String
  var entries: [Entry]

  /// The chart; `nil` without entries.
  var chart: Chart? {
    let shown = entries.filter { $0.ratio.isFinite && $0.lower.isFinite && $0.upper.isFinite }
    guard !shown.isEmpty else { return nil }
    let (left, right, top, row) = (132.0, Chart.width - 52, 10.0, 26.0)
    let bottom = top + row * Double(shown.count)
    let lowest = min(shown.map(\.lower).min() ?? 1, 1)
    let highest = max(shown.map(\.upper).max() ?? 1, 1)
    let axis = Axis(lowest, highest, from: left, to: right, count: 4)
    var chart = Chart(title: title, summary: summary, height: bottom + 48)
    for tick in axis.ticks {
      let x = axis.position(tick)
      chart.line(x, top, x, bottom, "grid")
      chart.label(x, bottom + 18, Axis.text(tick) + "×")
    }
    chart.line(axis.position(1), top, axis.position(1), bottom, "reference")
    chart.label((left + right) / 2, bottom + 39, xTitle, style: "axis-title")
    for (index, entry) in shown.enumerated() {
      let y = top + row * (Double(index) + 0.5)
      // An interval that holds 1 shows no difference.
      let style: Chart.Style = entry.lower > 1 ? .first : entry.upper < 1 ? .second : .muted
      chart.label(
        left - 10, y + 4, Self.shortened(entry.name), anchor: "end", style: entry.isTotal ? "name total" : "name")
      chart.line(axis.position(entry.lower), y, axis.position(entry.upper), y, "whisker \(style.rawValue)")
      chart.dot(
        axis.position(entry.ratio), y, style,
        hint: "\(entry.name): \(Axis.text(entry.ratio))× (\(Axis.text(entry.lower)) to \(Axis.text(entry.upper)))")
      chart.label(
        Chart.width - 4, y + 4, FigureText.ratio(entry.ratio), anchor: "end",
        style: entry.isTotal ? "name total" : "name")
    }
    return chart
  }

  private static func shortened(_ name: String) -> String {
    name.count > 18 ? name.prefix(17) + "…" : name
  }
}
