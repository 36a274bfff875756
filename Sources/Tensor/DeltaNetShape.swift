internal import CForetokenKernels

/// The sizes of a gated delta net: a recurrent layer that keeps a matrix for each value head, and the last inputs of a
/// convolution.
public struct DeltaNetShape: Sendable, Equatable {
  /// Heads of keys and of queries; divides `valueHeadCount`.
  public let keyHeadCount: Int
  /// Heads of values, gates and outputs, each with a state of its own.
  public let valueHeadCount: Int
  /// Channels of a key or query head.
  public let keySize: Int
  /// Channels of a value head.
  public let valueSize: Int
  /// Positions that the convolution sees, a row's own included.
  public let kernelSize: Int
  /// Whether value heads read key heads in turns, as GGUF files have them, and not those of a key head side by side.
  public let readsKeyHeadsInTurns: Bool

  /// Sizes by name.
  package init(
    keyHeadCount: Int, valueHeadCount: Int, keySize: Int, valueSize: Int, kernelSize: Int, readsKeyHeadsInTurns: Bool
  ) {
    (self.keyHeadCount, self.valueHeadCount) = (keyHeadCount, valueHeadCount)
    (self.keySize, self.valueSize, self.kernelSize) = (keySize, valueSize, kernelSize)
    self.readsKeyHeadsInTurns = readsKeyHeadsInTurns
  }

  /// Channels of all queries, and of all keys.
  package var keyWidth: Int { keyHeadCount * keySize }
  /// Channels of all values.
  package var valueWidth: Int { valueHeadCount * valueSize }
  /// Channels of the convolution: queries, keys, values.
  package var channels: Int { 2 * keyWidth + valueWidth }
  /// What a row is projected to: the convolution's channels, the output's gate, and by value head the strength and the
  /// decay.
  package var inputs: Int { channels + valueWidth + 2 * valueHeadCount }

  /// The key head that a value head reads.
  func keyHead(of valueHead: Int) -> Int {
    readsKeyHeadsInTurns ? valueHead % keyHeadCount : valueHead / (valueHeadCount / keyHeadCount)
  }

  /// Value channels that are computed together.
  static let stripWidth = Int(FT_STRIP)
  /// Strips of a head.
  var strips: Int { (valueSize + Self.stripWidth - 1) / Self.stripWidth }
  /// Floats of a strip.
  var stripFloats: Int { keySize * Self.stripWidth }
  /// Floats of one row of the convolution's inputs.
  var channelStride: Int { (channels + 15) / 16 * 16 }
  /// Floats of the inputs that the convolution still needs.
  var historyFloats: Int { (kernelSize - 1) * channelStride }
  /// Floats of one layer's state.
  var stateFloats: Int { historyFloats + valueHeadCount * strips * stripFloats }
  /// Bytes of one layer's state.
  package var stateByteCount: Int { stateFloats * MemoryLayout<Float>.size }
}
