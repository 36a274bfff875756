internal import CForetokenKernels
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// How keys and values are kept between passes.
public enum KVCacheFormat: String, Sendable, CaseIterable {
  /// Half precision.
  case float16
  /// Bytes, with a scale for each head of each position.
  case int8

  var kernelValue: ft_cache_format { self == .int8 ? FT_CACHE_INT8 : FT_CACHE_HALF }
}

/// Keys and values of all layers, in blocks of 16 positions.
///
/// Memory of blocks that were never written is not resident. Keys of a block lie channel by channel, values position by
/// position: the order in which attention reads each.
@safe package final class KVStorage {
  /// Positions per block.
  package static let blockSize = Int(FT_BLOCK)
  /// Number of blocks; each holds its positions for every layer and KV head.
  package let blockCount: Int
  let layerCount, kvHeadCount, headSize: Int
  let format: KVCacheFormat
  private let memory: AlignedMemory

  /// Reserves the memory.
  ///
  /// - Throws: `MemoryError` when there is not enough of it.
  package init(
    layerCount: Int, blockCount: Int, kvHeadCount: Int, headSize: Int, format: KVCacheFormat = .float16
  ) throws(MemoryError) {
    precondition(headSize <= Int(FT_LARGEST_HEAD))
    self.layerCount = layerCount
    self.blockCount = blockCount
    self.kvHeadCount = kvHeadCount
    self.headSize = headSize
    self.format = format
    let block = Self.blockByteCount(kvHeadCount: kvHeadCount, headSize: headSize, format: format)
    let (byteCount, overflow) = block.multipliedReportingOverflow(by: layerCount * blockCount)
    guard !overflow, byteCount <= Self.mostBytes else {
      throw MemoryError(byteCount: overflow ? .max : byteCount, purpose: "the KV cache", code: ENOMEM)
    }
    memory = try AlignedMemory(byteCount: byteCount, for: "the KV cache")
  }

  /// More than any machine has; sums of a few such sizes still fit 64 bits.
  package static let mostBytes = 1 << 60

  /// Bytes of one block in one layer.
  package static func blockByteCount(kvHeadCount: Int, headSize: Int, format: KVCacheFormat) -> Int {
    2 * kvHeadCount * ft_cache_block_bytes(format.kernelValue, headSize)
  }

  /// Fills everything with random values, so that a benchmark's reads touch real memory.
  package func fillRandomly() {
    let count = memory.byteCount / MemoryLayout<UInt16>.size
    unsafe ft_fill_random_halves(1, count, memory.pointer.assumingMemoryBound(to: UInt16.self))
  }

  /// Memory at full use.
  package var byteCount: Int { memory.byteCount }

  /// Bytes of one head's keys, or values, in one block.
  var headBytes: Int { ft_cache_block_bytes(format.kernelValue, headSize) }
  /// Bytes from one block to the next within a layer.
  var blockStride: Int { 2 * kvHeadCount * headBytes }

  /// A layer's keys of the first KV head in block 0; its values come after them, then the next head's.
  @unsafe func start(layer: Int) -> UnsafeMutableRawPointer {
    precondition(layer >= 0 && layer < layerCount)
    return unsafe memory.pointer + layer * blockCount * blockStride
  }
}
