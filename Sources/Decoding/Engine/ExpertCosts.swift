internal import Foundation
public import Transformer

/// How what a pass costs depends on the experts that it reads: T(n, D) = T(n) + c · (D - D(n)).
///
/// Rows of a text choose alike more than rows of unrelated tokens do, so n rows go through as many experts as nᵞ that choose
/// by themselves. γ is learnt.
public struct ExpertCosts: Sendable, Equatable, Codable {
  /// c: seconds for each expert of a layer.
  public let secondsPerExpert: Double
  /// γ of the passes by which T(n) was measured.
  private let measuredIndependence: Double
  /// γ of the passes since.
  public private(set) var independence: Double
  private let layout: ExpertLayout

  /// - Parameters:
  ///   - rows: of the passes by which T(n) was measured, some number of them.
  ///   - experts: that such a pass read, added up over layers.
  public init(_ layout: ExpertLayout, secondsPerExpert: Double, rows: Int, experts: Int) {
    (self.layout, self.secondsPerExpert) = (layout, secondsPerExpert)
    measuredIndependence = Self.independence(rows: rows, experts: experts, layout) ?? 1
    independence = measuredIndependence
  }

  /// Whether these are numbers that a measurement gives: they may come from a file.
  var isPossible: Bool {
    (1...1024).contains(layout.layers) && (1...1024).contains(layout.count)
      && (1...layout.count).contains(layout.chosen)
      && (0..<3600).contains(secondsPerExpert) && [independence, measuredIndependence].allSatisfy((0...1.5).contains)
  }

  /// D(n): experts that `rows` rows are expected to go through, added up over layers.
  public func expected(rows: Int) -> Double { expected(rows, independence) }

  private func expected(_ rows: Int, _ independence: Double) -> Double {
    layout.experts(rows: pow(Double(rows), independence))
  }

  /// What a pass over `rows` rows takes more than T(n), in seconds.
  ///
  /// - Parameter read: experts that it reads; those that are expected when `nil`.
  func seconds(rows: Int, experts read: Int? = nil) -> Double {
    secondsPerExpert * ((read.map(Double.init) ?? expected(rows: rows)) - expected(rows, measuredIndependence))
  }

  /// Learns how many experts rows go through.
  mutating func observe(rows: Int, experts: Int) {
    guard let found = Self.independence(rows: rows, experts: experts, layout) else { return }
    independence += 0.1 * (found - independence)
  }

  /// `nil` for a single row, which tells nothing.
  private static func independence(rows: Int, experts: Int, _ layout: ExpertLayout) -> Double? {
    guard rows > 1 else { return nil }
    return min(max(log(layout.rows(experts: Double(experts))) / log(Double(rows)), 0), 1.5)
  }
}
