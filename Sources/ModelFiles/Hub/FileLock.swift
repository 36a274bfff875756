internal import Foundation

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// The right to write a file of the cache, held by one task of one process at a time.
///
/// An advisory `flock` on a file of its own, which `huggingface_hub` takes in the same place. The system frees it when
/// the process ends, however it ends.
enum FileLock {
  /// Waits until the lock at `path` is free, and holds it while `body` runs.
  ///
  /// - Throws: `HubError` when the file cannot be opened or locked, `CancellationError` when the task is cancelled, and
  ///   what `body` throws.
  static func hold(_ path: String, during body: () async throws -> Void) async throws {
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw HubError("cannot open the lock '\(path)': \(reason)") }
    defer { close(descriptor) }
    // Polled, so that no thread of the cooperative pool is blocked for as long as another download takes.
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR else { throw HubError("cannot lock '\(path)': \(reason)") }
      try await Task.sleep(for: .milliseconds(100))
    }
    try await body()
  }

  private static var reason: String { unsafe String(cString: strerror(errno)) }
}
