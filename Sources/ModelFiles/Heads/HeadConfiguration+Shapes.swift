internal import Tensor

extension HeadConfiguration {
  /// A head in the shape that is published for Qwen3-8B, in the sizes of another target: to measure what it costs without
  /// its files.
  ///
  /// Sources: the files of AngelSlim's EAGLE-3 head (one layer, 32,000 tokens of its own), SpecForge's DFlash head (five
  /// layers, as many streams, blocks of 16) for Qwen3-8B.
  ///
  /// - Parameters:
  ///   - kind: EAGLE-3 or DFlash.
  ///   - target: whose streams it reads.
  ///   - layers: the target's sizes with as many layers as the head is to have; `layerCount(of:)`.
  package init(_ kind: Kind, for target: ModelConfiguration, layers: ModelConfiguration) {
    let isBlock = kind == .dflash
    let count = layers.layerCount
    // Evenly from the second layer to the third from the end.
    let step = Double(target.layerCount - 4) / Double(max(count - 1, 1))
    self.init(
      kind: kind, layers: layers, targetHiddenSize: target.hiddenSize,
      vocabularySize: isBlock ? layers.vocabularySize : min(32_000, layers.vocabularySize),
      tappedLayers: isBlock ? (0..<count).map { 2 + Int(Double($0) * step) } : nil)
    if isBlock {
      block = HeadBlock(
        size: 16, maskToken: Int32(layers.vocabularySize - 1), predictsNext: false,
        sights: Array(repeating: .block(), count: count))
    }
  }

  /// Layers of a head in that shape; `nil` for kinds that have none.
  package static func layerCount(of kind: Kind) -> Int? {
    switch kind {
    case .eagle3: 1
    case .dflash: 5
    case .mtp: nil
    }
  }
}
