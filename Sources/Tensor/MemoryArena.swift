/// Memory for the many matrices of a model, cut from large pieces that the system can back with huge pages: a matrix
/// alone is often smaller than one, and streaming it would then wait for the page tables.
///
/// Used from one thread at a time. A piece lives as long as a matrix in it.
package final class MemoryArena {
  private static let pieceBytes = 256 << 20
  private static let alignment = 64
  private var piece: AlignedMemory?
  private var used = 0

  /// Without memory yet.
  package init() {}

  /// Memory for `byteCount` bytes, of `arena` or of its own: a piece, and where in it they begin.
  ///
  /// - Throws: `MemoryError` when the system refuses.
  static func allocate(
    _ byteCount: Int, for purpose: String, in arena: MemoryArena?
  ) throws(MemoryError) -> (memory: AlignedMemory, offset: Int) {
    guard let arena else { return (try AlignedMemory(byteCount: byteCount, for: purpose), 0) }
    return try arena.allocate(byteCount, for: purpose)
  }

  private func allocate(
    _ byteCount: Int, for purpose: String
  ) throws(MemoryError) -> (memory: AlignedMemory, offset: Int) {
    if let piece, used + byteCount <= piece.byteCount {
      defer { used += (byteCount + Self.alignment - 1) / Self.alignment * Self.alignment }
      return (piece, used)
    }
    let fresh = try AlignedMemory(byteCount: max(byteCount, Self.pieceBytes), for: purpose)
    // A matrix that fills a piece alone leaves the last one for those that come after.
    if byteCount < Self.pieceBytes {
      piece = fresh
      used = (byteCount + Self.alignment - 1) / Self.alignment * Self.alignment
    }
    return (fresh, 0)
  }
}
