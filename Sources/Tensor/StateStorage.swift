#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Recurrent states of all recurrent layers, in slots.
///
/// A slot has by layer the last inputs of the convolution, `[kernel size − 1, channels]`, and the matrices of the value
/// heads, each in strips, `[strips, key size, strip width]`. Memory of slots that were never written is not resident.
@safe package final class StateStorage: Sendable {
  /// Slots that there are.
  package let slotCount: Int
  let shape: DeltaNetShape
  let layerCount: Int
  private let memory: AlignedMemory
  /// Zeros, where a sequence begins: one row of the convolution's inputs, or one strip.
  private let zeros: AlignedMemory

  /// Reserves the memory.
  ///
  /// - Throws: `MemoryError` when there is not enough of it.
  package init(_ shape: DeltaNetShape, layerCount: Int, slotCount: Int) throws(MemoryError) {
    (self.shape, self.layerCount, self.slotCount) = (shape, layerCount, slotCount)
    let (byteCount, overflow) = (shape.stateByteCount * layerCount).multipliedReportingOverflow(by: slotCount)
    guard !overflow, byteCount <= KVStorage.mostBytes else {
      throw MemoryError(byteCount: overflow ? .max : byteCount, purpose: "recurrent states", code: ENOMEM)
    }
    memory = try AlignedMemory(byteCount: byteCount, for: "recurrent states")
    zeros = try AlignedMemory(
      byteCount: max(shape.channelStride, shape.stripFloats) * MemoryLayout<Float>.size, for: "recurrent states")
  }

  /// Memory at full use.
  package var byteCount: Int { memory.byteCount }

  /// The convolution's inputs of a layer's state.
  @unsafe func history(_ slot: Int32, layer: Int) -> UnsafeMutablePointer<Float> {
    precondition(slot >= 0 && Int(slot) < slotCount && layer >= 0 && layer < layerCount)
    return unsafe memory.pointer.assumingMemoryBound(to: Float.self)
      + (Int(slot) * layerCount + layer) * shape.stateFloats
  }

  /// The matrices of a layer's state.
  @unsafe func matrices(_ slot: Int32, layer: Int) -> UnsafeMutablePointer<Float> {
    unsafe history(slot, layer: layer) + shape.historyFloats
  }

  @unsafe var zero: UnsafePointer<Float> { unsafe UnsafePointer(zeros.pointer.assumingMemoryBound(to: Float.self)) }
}

/// One sequence's rows in a recurrent step.
package struct StateSlice: Sendable {
  package var firstRow: Int
  package var rowCount: Int
  /// The slot with the state before the first row; `nil` for zeros.
  package var start: Int32?
  /// Where states are kept, by row ascending: none of these slots is read in the same step.
  package var kept: [(row: Int, slot: Int32)]

  package init(firstRow: Int, rowCount: Int, start: Int32?, kept: [(row: Int, slot: Int32)]) {
    (self.firstRow, self.rowCount, self.start) = (firstRow, rowCount, start)
    self.kept = kept.sorted { $0.row < $1.row }
  }
}
