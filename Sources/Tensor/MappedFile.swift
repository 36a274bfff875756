#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A file mapped read-only into memory, unmapped when the last view of it goes.
///
/// Pages are read on first touch and belong to the page cache, so mapping a checkpoint costs no memory of its own.
@safe public final class MappedFile: Sendable {
  /// The path as it was given, for messages.
  public let path: String
  /// Length of the file in bytes at the time it was mapped.
  public let byteCount: Int
  @unsafe private let base: SharedAddress?

  /// Maps the whole file at `path`.
  ///
  /// - Throws: `MappedFileError` when the file cannot be opened, is not a regular file, or cannot be mapped.
  public init(path: String) throws(MappedFileError) {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw MappedFileError(path: path, operation: "open", code: errno) }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      throw MappedFileError(path: path, operation: "read the size of", code: errno)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw MappedFileError(path: path, operation: "map (it is not a regular file)", code: EINVAL)
    }
    self.path = path
    byteCount = Int(status.st_size)
    guard byteCount > 0 else {
      unsafe base = nil
      return
    }
    let address = unsafe mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let address = unsafe address, unsafe address != MAP_FAILED else {
      throw MappedFileError(path: path, operation: "map", code: errno)
    }
    unsafe base = SharedAddress(address)
  }

  deinit {
    if let pointer = unsafe base?.pointer {
      unsafe munmap(pointer, byteCount)
    }
  }

  /// Runs `body` on the bytes of `range`; `nil` when the range does not lie inside the file.
  public func withBytes<Result>(in range: Range<Int>, _ body: (RawSpan) throws -> Result) rethrows -> Result? {
    guard let buffer = unsafe buffer(range) else { return nil }
    return try unsafe body(buffer.bytes)
  }

  /// The bytes of `range`, or `nil` when the range does not lie inside the file.
  @unsafe package func buffer(_ range: Range<Int>) -> UnsafeRawBufferPointer? {
    guard range.lowerBound >= 0, range.upperBound <= byteCount else { return nil }
    guard let pointer = unsafe base?.pointer else { return unsafe UnsafeRawBufferPointer(start: nil, count: 0) }
    return unsafe UnsafeRawBufferPointer(start: pointer + range.lowerBound, count: range.count)
  }

  /// Tells the system that the pages of `range` are not needed for now, so that they stop counting as resident.
  public func releasePages(in range: Range<Int>) {
    let pageSize = Int(getpagesize())
    let first = (max(range.lowerBound, 0) + pageSize - 1) / pageSize * pageSize
    let last = min(range.upperBound, byteCount) / pageSize * pageSize
    guard first < last, let pointer = unsafe base?.pointer else { return }
    unsafe madvise(pointer + first, last - first, MADV_DONTNEED)
  }
}

/// A file could not be mapped.
public struct MappedFileError: Error, Sendable, CustomStringConvertible {
  /// The file concerned.
  public let path: String
  /// What was attempted.
  public let operation: String
  /// The system's error number.
  public let code: Int32

  /// One sentence with the path and the system's reason.
  public var description: String {
    "cannot \(operation) '\(path)': \(unsafe String(cString: strerror(code)))"
  }
}
