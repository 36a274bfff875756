#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Zeroed memory of fixed size, aligned for the widest vector loads; pages that are never touched cost nothing.
@safe final class AlignedMemory: Sendable {
  let byteCount: Int
  @unsafe private let address: SharedAddress
  /// Bytes mapped: of large memory, whole huge pages, so that the system aligns them.
  private let mappedBytes: Int

  /// Reserves `byteCount` bytes; the system gives memory on first touch.
  ///
  /// - Throws: `MemoryError` when the system refuses.
  init(byteCount: Int, for purpose: String) throws(MemoryError) {
    self.byteCount = byteCount
    let isLarge = byteCount >= 4 << 20
    mappedBytes = isLarge ? ((byteCount + (2 << 20) - 1) / (2 << 20)) * (2 << 20) : max(byteCount, 1)
    let flags = MAP_PRIVATE | MAP_ANON
    let pointer = unsafe mmap(nil, mappedBytes, PROT_READ | PROT_WRITE, flags, -1, 0)
    guard let pointer = unsafe pointer, unsafe pointer != MAP_FAILED else {
      throw MemoryError(byteCount: byteCount, purpose: purpose, code: errno)
    }
    #if os(Linux)
    // Fewer, larger pages: streaming weights would otherwise wait for the page tables.
    if isLarge { unsafe madvise(pointer, mappedBytes, MADV_HUGEPAGE) }
    #endif
    unsafe address = SharedAddress(pointer)
  }

  deinit { unsafe munmap(address.pointer, mappedBytes) }

  @unsafe var pointer: UnsafeMutableRawPointer { unsafe address.pointer }
}

/// The system refuses memory.
public struct MemoryError: Error, Sendable, CustomStringConvertible {
  /// Bytes asked for.
  public let byteCount: Int
  /// What they were for.
  public let purpose: String
  /// The system's error number.
  public let code: Int32

  /// One sentence with the size, the purpose and the system's reason.
  public var description: String {
    "cannot reserve \(byteCount) bytes for \(purpose): \(unsafe String(cString: strerror(code)))"
  }
}
