internal import Foundation

/// A lock on a file, held by one process or task at a time; the system takes it back when the process ends.
struct FileLock {
  private let descriptor: Int32

  /// Waits until the lock on `path` is free, and takes it.
  init(_ path: String) async throws {
    descriptor = unsafe open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw HubError("cannot open the lock '\(path)': \(unsafe String(cString: strerror(errno)))")
    }
    // Asks again rather than block a thread that other tasks need.
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 { try await Task.sleep(for: .milliseconds(100)) }
  }

  /// Gives the lock back.
  func release() { close(descriptor) }
}
