#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

internal import CForetokenFaults
internal import Synchronization

/// A file's bytes, read-only: mapped, or read into memory of their own.
///
/// Pages of a mapped file are read on first touch and belong to the page cache, so mapping a checkpoint costs no memory
/// of its own. But they are the file's: whoever overwrites it changes them, and touching a page that was cut off ends
/// the process with a sentence that names the file and status 1. What stays in use while requests are served is therefore
/// copied (`init(path:copiedBy:)`, `copy(of:)`).
@safe package final class MappedFile: Sendable {
  /// The path as it was given, for messages.
  package let path: String
  /// Length of the file in bytes at the time it was mapped.
  package let byteCount: Int
  @unsafe private let base: SharedAddress?
  /// The memory of a copy.
  private let memory: AlignedMemory?
  /// The open file that is mapped, and when it had been changed last; −1 for a copy.
  private let descriptor: Int32
  private let modified: Modification

  /// Maps the whole file at `path`.
  ///
  /// - Throws: `MappedFileError` when the file cannot be opened, is not a regular file, or cannot be mapped.
  package init(path: String) throws(MappedFileError) {
    let (descriptor, modified) = try Self.opened(path)
    (self.path, self.descriptor, self.modified) = (path, descriptor, modified)
    byteCount = modified.byteCount
    memory = nil
    guard byteCount > 0 else {
      unsafe base = nil
      return
    }
    let address = unsafe mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let address = unsafe address, unsafe address != MAP_FAILED else {
      let code = errno
      close(descriptor)
      throw MappedFileError(path: path, operation: "map", code: code)
    }
    unsafe base = SharedAddress(address)
    let sentence = "Error: '\(path.escapingControls)' was cut short while it was being read\n"
    // Without memory for the entry the fault ends the process as it would any other.
    _ = unsafe sentence.withCString { unsafe ft_watch_mapping(address, byteCount, $0) }
  }

  /// Reads the whole file at `path` into memory on the threads of `pool`, as fast as the page cache gives it.
  ///
  /// - Parameter parts: what the pool's workers will read of the memory at these addresses.
  /// - Throws: `MappedFileError` when the file cannot be read, or there is no memory for it.
  convenience init(
    path: String, copiedBy pool: WorkerPool, parts: (Range<UInt>) -> [WorkerPool.Upcoming] = { _ in [] }
  ) throws(MappedFileError) {
    let (descriptor, modified) = try Self.opened(path)
    defer { close(descriptor) }
    let memory = try Self.memory(modified.byteCount, path)
    let (target, failure) = unsafe (SharedAddress(memory.pointer), Failure())
    let (size, part) = (modified.byteCount, Self.partBytes)
    let start = unsafe UInt(bitPattern: memory.pointer)
    pool.settle(parts(start..<start + UInt(size)))
    pool.runEach((size + part - 1) / part) { _, index in
      let range = index * part..<min((index + 1) * part, size)
      failure.note(unsafe Self.read(descriptor, range, to: target.pointer + range.lowerBound))
    }
    if let code = failure.code { throw MappedFileError(path: path, operation: "read", code: code) }
    self.init(copied: memory, byteCount: size, path: path)
  }

  /// Memory of `byteCount` bytes, zero but for what `fill` writes, for what no file holds.
  ///
  /// - Parameter path: what it is made of, for messages.
  /// - Throws: `MappedFileError` when there is no memory for it.
  @unsafe convenience init(
    path: String, byteCount: Int, fill: (UnsafeMutableRawPointer) -> Void
  ) throws(MappedFileError) {
    let memory = try Self.memory(byteCount, path)
    unsafe fill(memory.pointer)
    self.init(copied: memory, byteCount: byteCount, path: path)
  }

  private init(copied memory: AlignedMemory, byteCount: Int, path: String) {
    (self.path, self.byteCount, self.memory, descriptor) = (path, byteCount, memory, -1)
    modified = Modification(byteCount: byteCount, seconds: 0, nanoseconds: 0)
    unsafe base = SharedAddress(memory.pointer)
  }

  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    if let pointer = unsafe base?.pointer {
      unsafe ft_unwatch_mapping(pointer)
      unsafe munmap(pointer, byteCount)
    }
  }

  /// The bytes of `ranges`, one after the other, read from the file anew.
  ///
  /// - Throws: `MappedFileError` when they cannot be read, or the file is not what it was when it was mapped.
  package func copy(of ranges: [Range<Int>]) throws(MappedFileError) -> MappedFile {
    let size = ranges.reduce(0) { $0 + $1.count }
    let copy = try Self.memory(size, path)
    var place = 0
    for range in ranges {
      let code: Int32
      if descriptor >= 0 {
        code = unsafe Self.read(descriptor, range, to: copy.pointer + place)
      } else if let bytes = unsafe buffer(range), let source = bytes.baseAddress {
        unsafe (copy.pointer + place).copyMemory(from: source, byteCount: range.count)
        code = 0
      } else {
        code = EINVAL
      }
      guard code == 0 else { throw MappedFileError(path: path, operation: "read", code: code) }
      place += range.count
    }
    // After the read, so that what was read was there before the change.
    try checkUnchanged()
    return MappedFile(copied: copy, byteCount: size, path: path)
  }

  /// Makes sure that what was read so far is what the file held when it was mapped.
  ///
  /// - Throws: `MappedFileError` when it was written to since.
  package func checkUnchanged() throws(MappedFileError) {
    if descriptor >= 0, Modification(of: descriptor) != modified {
      throw MappedFileError(path: path, operation: "go on reading (it was changed while it was in use)", code: ESTALE)
    }
  }

  // MARK: Files

  /// What tells a file that was written to from what it was before.
  private struct Modification: Equatable {
    let byteCount, seconds, nanoseconds: Int

    init(byteCount: Int, seconds: Int, nanoseconds: Int) {
      (self.byteCount, self.seconds, self.nanoseconds) = (byteCount, seconds, nanoseconds)
    }

    init(_ status: stat) {
      #if canImport(Darwin)
      let time = status.st_mtimespec
      #else
      let time = status.st_mtim
      #endif
      self.init(byteCount: Int(status.st_size), seconds: Int(time.tv_sec), nanoseconds: Int(time.tv_nsec))
    }

    /// That of an open file as it is now; `nil` when the system does not say.
    init?(of descriptor: Int32) {
      var status = stat()
      guard unsafe fstat(descriptor, &status) == 0 else { return nil }
      self.init(status)
    }
  }

  /// Bytes that one thread reads at a time.
  private static let partBytes = 4 << 20

  /// The first error of several threads.
  private final class Failure: Sendable {
    private let first = Atomic<Int32>(0)

    func note(_ code: Int32) {
      if code != 0 { _ = first.compareExchange(expected: 0, desired: code, ordering: .relaxed) }
    }

    var code: Int32? {
      let code = first.load(ordering: .relaxed)
      return code == 0 ? nil : code
    }
  }

  private static func opened(_ path: String) throws(MappedFileError) -> (descriptor: Int32, modified: Modification) {
    // Without waiting: what has the name of a file may be a pipe.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw MappedFileError(path: path, operation: "open", code: errno) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      let code = errno
      close(descriptor)
      throw MappedFileError(path: path, operation: "read the size of", code: code)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw MappedFileError(path: path, operation: "map (it is not a regular file)", code: EINVAL)
    }
    return (descriptor, Modification(status))
  }

  private static func memory(_ byteCount: Int, _ path: String) throws(MappedFileError) -> AlignedMemory {
    do { return try AlignedMemory(byteCount: byteCount, for: path) } catch {
      throw MappedFileError(path: path, operation: "read (there is no memory for \(byteCount) bytes)", code: error.code)
    }
  }

  /// Reads a range of an open file; an error number, or 0.
  @unsafe private static func read(
    _ descriptor: Int32, _ range: Range<Int>, to target: UnsafeMutableRawPointer
  ) -> Int32 {
    var done = 0
    while done < range.count {
      let count = unsafe pread(descriptor, target + done, range.count - done, off_t(range.lowerBound + done))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { return errno }
      // The file has become shorter.
      guard count > 0 else { return ESTALE }
      done += count
    }
    return 0
  }

  /// Runs `body` on the bytes of `range`; `nil` when the range does not lie inside the file.
  package func withBytes<Result>(in range: Range<Int>, _ body: (RawSpan) throws -> Result) rethrows -> Result? {
    guard let buffer = unsafe buffer(range) else { return nil }
    return try unsafe body(buffer.bytes)
  }

  /// The bytes of `range`, or `nil` when the range does not lie inside the file.
  @unsafe package func buffer(_ range: Range<Int>) -> UnsafeRawBufferPointer? {
    guard range.lowerBound >= 0, range.upperBound <= byteCount else { return nil }
    guard let pointer = unsafe base?.pointer else { return unsafe UnsafeRawBufferPointer(start: nil, count: 0) }
    return unsafe UnsafeRawBufferPointer(start: pointer + range.lowerBound, count: range.count)
  }

  /// Around a page that is touched the system maps others of its file that are in memory: so many bytes, aligned.
  private static let mappedAround = 64 << 10

  /// Tells the system that the pages of `range` are not needed for now, so that they stop counting as resident; those of
  /// a copy stay. What was mapped around them goes too: whoever still reads there has it mapped again.
  package func releasePages(in range: Range<Int>) {
    guard descriptor >= 0 else { return }
    guard !range.isEmpty, range.lowerBound >= 0, range.upperBound <= byteCount, let pointer = unsafe base?.pointer
    else {
      return
    }
    let unit = max(Int(getpagesize()), Self.mappedAround)
    // By addresses, as the system aligns by these; the mapping begins with a page.
    let start = Int(bitPattern: pointer)
    let first = max(0, (start + range.lowerBound) / unit * unit - start)
    let last = min(byteCount, (start + range.upperBound + unit - 1) / unit * unit - start)
    unsafe madvise(pointer + first, last - first, MADV_DONTNEED)
  }
}

/// A file could not be mapped.
package struct MappedFileError: Error, Sendable, CustomStringConvertible {
  package let path: String
  /// What was attempted.
  package let operation: String
  /// The system's error number.
  package let code: Int32

  /// One sentence with the path and the system's reason.
  package var description: String {
    "cannot \(operation) '\(path)'" + (code == 0 ? "" : ": \(unsafe String(cString: strerror(code)))")
  }
}
