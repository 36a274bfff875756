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

  /// Reserves `byteCount` bytes; the system gives memory on first touch.
  ///
  /// - Throws: `MemoryError` when the system refuses.
  init(byteCount: Int, for purpose: String) throws(MemoryError) {
    self.byteCount = byteCount
    let flags = MAP_PRIVATE | MAP_ANON
    let pointer = unsafe mmap(nil, max(byteCount, 1), PROT_READ | PROT_WRITE, flags, -1, 0)
    guard let pointer = unsafe pointer, unsafe pointer != MAP_FAILED else {
      throw MemoryError(byteCount: byteCount, purpose: purpose, code: errno)
    }
    #if os(Linux)
    // Fewer, larger pages: streaming weights would otherwise wait for the page tables.
    if byteCount >= 4 << 20 { unsafe madvise(pointer, byteCount, MADV_HUGEPAGE) }
    #endif
    unsafe address = SharedAddress(pointer)
  }

  deinit { unsafe munmap(address.pointer, max(byteCount, 1)) }

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
