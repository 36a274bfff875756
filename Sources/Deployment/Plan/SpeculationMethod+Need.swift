package import Decoding

extension SpeculationMethod {
  /// Whether a deployment names a draft for it.
  package var needsDraft: Bool { need != .nothing && need != .carriedHead }
  /// Whether the draft is a head that was trained on one target, not a model that stands alone.
  package var isHead: Bool { need == .head }
}
