internal import Foundation
internal import Tensor

/// Figures as they read in a report.
package enum FigureText {
  /// "1.62×".
  package static func ratio(_ value: Double) -> String { String(format: "%.2f×", value) }

  /// "1.62× (1.55 to 1.70)".
  package static func ratio(_ value: Double, _ lower: Double?, _ upper: Double?) -> String {
    guard let lower, let upper else { return ratio(value) }
    return String(format: "%.2f× (%.2f to %.2f)", value, lower, upper)
  }

  /// Three digits, none of them made up.
  package static func significant(_ value: Double) -> String {
    guard value.isFinite else { return "–" }
    let size = abs(value)
    let digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4
    return String(format: "%.\(size == 0 ? 0 : digits)f", value)
  }

  /// So many decimals.
  package static func decimal(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

  /// "93 %".
  package static func percent(_ share: Double) -> String { percent(share, digits: 0) }
  /// "93.4 %".
  package static func percent(_ share: Double, digits: Int) -> String { "\(decimal(share * 100, digits)) %" }

  /// "+3.2 %".
  package static func signedPercent(_ share: Double) -> String {
    String(format: "%@%.1f %%", share < 0 ? "−" : "+", abs(share) * 100)
  }

  /// "$0.42".
  package static func dollars(_ value: Double) -> String {
    value >= 100
      ? String(format: "$%.0f", value) : value >= 0.1 ? String(format: "$%.2f", value) : String(format: "$%.4f", value)
  }

  /// "12.3 MB".
  package static func bytes(_ count: Int) -> String { count.byteText }

  /// "12,345".
  package static func count(_ value: Int) -> String {
    let digits = String(value.magnitude)
    let groups = stride(from: digits.count, to: 0, by: -3).map { end in
      String(digits.dropLast(digits.count - end).suffix(3))
    }
    return (value < 0 ? "−" : "") + groups.reversed().joined(separator: ",")
  }
}
