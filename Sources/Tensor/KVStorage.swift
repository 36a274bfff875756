internal import CForetokenKernels

/// Keys and values of all layers, in blocks of 16 positions, in half precision.
///
/// Memory of blocks that were never written is not resident. Keys of a block lie channel by channel, values position by
/// position: the order in which attention reads each.
@safe public final class KVStorage {
  /// Positions per block.
  public static let blockSize = Int(FT_BLOCK)
  /// Number of blocks; each holds its positions for every layer and KV head.
  public let blockCount: Int
  let layerCount, kvHeadCount, headSize: Int
  private let memory: AlignedMemory

  /// Reserves the memory.
  ///
  /// - Throws: `MemoryError` when there is not enough of it.
  public init(layerCount: Int, blockCount: Int, kvHeadCount: Int, headSize: Int) throws(MemoryError) {
    self.layerCount = layerCount
    self.blockCount = blockCount
    self.kvHeadCount = kvHeadCount
    self.headSize = headSize
    memory = try AlignedMemory(
      byteCount: layerCount * blockCount * kvHeadCount * headSize * Self.blockSize * 2 * MemoryLayout<UInt16>.size,
      for: "the KV cache")
  }

  /// Fills everything with random values, so that a benchmark's reads touch real memory.
  package func fillRandomly() {
    let count = memory.byteCount / MemoryLayout<UInt16>.size
    unsafe ft_fill_random_halves(1, count, memory.pointer.assumingMemoryBound(to: UInt16.self))
  }

  /// Memory at full use.
  public var byteCount: Int { memory.byteCount }

  /// Elements of one head's keys, or values, in one block.
  var headElements: Int { headSize * Self.blockSize }
  /// Elements from one block to the next within a layer.
  var blockStride: Int { 2 * kvHeadCount * headElements }

  /// First element of a layer's keys or values of one KV head in block 0.
  @unsafe func start(layer: Int, kvHead: Int, isValue: Bool) -> UnsafeMutablePointer<UInt16> {
    precondition(layer >= 0 && layer < layerCount && kvHead >= 0 && kvHead < kvHeadCount)
    let offset = layer * blockCount * blockStride + (2 * kvHead + (isValue ? 1 : 0)) * headElements
    return unsafe memory.pointer.assumingMemoryBound(to: UInt16.self) + offset
  }
}

/// One sequence's rows in an attention step.
public struct AttentionSlice: Sendable {
  /// Index of its first row.
  public var firstRow: Int
  /// Number of its rows.
  public var rowCount: Int
  /// Position of the first row in the sequence.
  public var firstPosition: Int
  /// Position `p` lives in `blocks[p / KVStorage.blockSize]`.
  public var blocks: [Int32]

  /// A slice of a pass.
  public init(firstRow: Int, rowCount: Int, firstPosition: Int, blocks: [Int32]) {
    self.firstRow = firstRow
    self.rowCount = rowCount
    self.firstPosition = firstPosition
    self.blocks = blocks
  }
}
