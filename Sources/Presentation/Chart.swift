internal import Foundation

/// A chart as SVG primitives, laid out in a box of `width` × `height`; a template writes them.
///
/// Coordinates are texts with one decimal, so that the file stays small.
package struct Chart: Sendable {
  /// How a series looks: a class of the style sheet.
  package enum Style: String, Sendable, CaseIterable {
    case first, second, third, fourth, muted

    /// The next in order; after the last, the last.
    package static func at(_ index: Int) -> Style { allCases[min(index, allCases.count - 1)] }
  }

  package struct Line: Sendable {
    package let x1, y1, x2, y2, style: String
  }
  package struct Curve: Sendable {
    package let points, style: String
  }
  package struct Dot: Sendable {
    package let x, y, style: String
    /// What a pointer over it shows.
    package let hint: String
  }
  package struct Label: Sendable {
    package let x, y, anchor, style, text: String
  }
  package struct Key: Sendable {
    package let style, text: String

    package init(style: String, text: String) { (self.style, self.text) = (style, text) }
  }

  package static let width = 460.0
  package let title: String
  /// What it shows, for those who cannot see it.
  package let summary: String
  package let height: String
  package let width = Chart.number(Chart.width)
  package var keys: [Key] = []
  package var lines: [Line] = []
  package var curves: [Curve] = []
  package var dots: [Dot] = []
  package var labels: [Label] = []

  package init(title: String, summary: String, height: Double) {
    self.title = title
    self.summary = summary
    self.height = Self.number(height)
  }

  package mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ style: String) {
    lines.append(
      Line(x1: Self.number(x1), y1: Self.number(y1), x2: Self.number(x2), y2: Self.number(y2), style: style))
  }

  package mutating func label(
    _ x: Double, _ y: Double, _ text: String, anchor: String = "middle", style: String = "tick"
  ) {
    labels.append(Label(x: Self.number(x), y: Self.number(y), anchor: anchor, style: style, text: text))
  }

  package mutating func dot(_ x: Double, _ y: Double, _ style: Style, hint: String) {
    dots.append(Dot(x: Self.number(x), y: Self.number(y), style: style.rawValue, hint: hint))
  }

  package mutating func curve(_ points: [(x: Double, y: Double)], _ style: String) {
    let text = points.map { "\(Self.number($0.x)),\(Self.number($0.y))" }.joined(separator: " ")
    curves.append(Curve(points: text, style: style))
  }

  package static func number(_ value: Double) -> String {
    value.isFinite ? String(format: "%.1f", value) : "0.0"
  }
}
