internal import Foundation
package import ModelFiles

/// The experts of a model: how many there are to choose from.
public struct ExpertLayout: Sendable, Equatable, Codable {
  /// Layers that have experts.
  public let layers: Int
  /// Experts of such a layer.
  public let count: Int
  /// Experts that a row goes through in it.
  public let chosen: Int

  /// A layout; all are at least 1, and no more are chosen than there are.
  public init(layers: Int, count: Int, chosen: Int) { (self.layers, self.count, self.chosen) = (layers, count, chosen) }

  /// That of a model; `nil` where no layer has experts.
  package init?(_ configuration: ModelConfiguration) {
    guard let experts = configuration.experts else { return nil }
    let layers = configuration.layerCount - experts.denseLayers.count
    guard layers > 0 else { return nil }
    self.init(layers: layers, count: experts.count, chosen: experts.chosenCount)
  }

  /// Experts of all layers together.
  public var total: Int { layers * count }

  /// Experts that `rows` rows go through, added up over layers, if each row chose by itself: layers · count · (1 - (1 -
  /// chosen / count)ⁿ).
  public func experts(rows: Double) -> Double {
    rows <= 1 ? Double(layers * chosen) * rows : Double(total) * (1 - pow(unchosen, rows))
  }

  /// How many rows that choose by themselves would go through `experts`.
  public func rows(experts: Double) -> Double {
    let least = Double(layers * chosen)
    guard experts > least, unchosen > 0 else { return experts / least }
    return max(1, log(max(1 - experts / Double(total), 1e-6)) / log(unchosen))
  }

  /// The share of experts that a row does not go through.
  private var unchosen: Double { 1 - Double(chosen) / Double(count) }
}
