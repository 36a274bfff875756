internal import Foundation
internal import Synchronization

#if canImport(FoundationNetworking)
internal import FoundationNetworking
#endif

/// One HTTP exchange whose body goes to a file, piece by piece; never all of it in memory.
///
/// A redirect to another host goes without the Authorization header: the token is the hub's alone.
final class HubTransfer: NSObject, URLSessionDataDelegate {
  struct Excess: Error {}

  struct Answer {
    var status = 0
    /// Seconds after which a busy server asks to be asked again.
    var retryAfter: Double?
  }

  private struct State {
    var answer = Answer()
    var file: FileHandle?
    var failure: (any Error)?
    var continuation: CheckedContinuation<Answer, any Error>?
  }

  private let path: String
  /// Bytes that the file has already; a response with status 206 continues them.
  private let offset: Int
  /// Bytes that the file may come to have.
  private let limit: Int
  private let received: @Sendable (Int) -> Void
  private let state = Mutex(State())

  private init(path: String, offset: Int, limit: Int, received: @escaping @Sendable (Int) -> Void) {
    self.path = path
    self.offset = offset
    self.limit = limit
    self.received = received
  }

  /// Sends `request`; the body of a success goes to `path`, after the first `offset` bytes when the server resumes.
  ///
  /// - Parameters:
  ///   - limit: bytes that the file may come to have.
  ///   - received: called with the file's size as it grows.
  /// - Returns: the status of the response, and when to try again.
  /// - Throws: what the system says when the connection fails; the file keeps what had come. `Excess` past the limit.
  static func run(
    _ request: URLRequest, to path: String, offset: Int, limit: Int, received: @escaping @Sendable (Int) -> Void
  ) async throws -> Answer {
    let transfer = HubTransfer(path: path, offset: offset, limit: limit, received: received)
    let configuration = URLSessionConfiguration.ephemeral
    configuration.timeoutIntervalForRequest = 60
    configuration.urlCache = nil
    let session = URLSession(configuration: configuration, delegate: transfer, delegateQueue: nil)
    defer { session.finishTasksAndInvalidate() }
    let task = session.dataTask(with: request)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let isCancelled = transfer.state.withLock { state in
          if state.failure == nil { state.continuation = continuation }
          return state.failure != nil
        }
        if isCancelled { continuation.resume(throwing: CancellationError()) } else { task.resume() }
      }
    } onCancel: {
      transfer.state.withLock { $0.failure = CancellationError() }
      task.cancel()
    }
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
    newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
  ) {
    var request = request
    // Against the first address, not the last: a chain of redirects must not find its way back to the header.
    let (hub, next) = (task.originalRequest?.url, request.url)
    if hub == nil || hub?.host != next?.host || hub?.port != next?.port || hub?.scheme != next?.scheme {
      request.setValue(nil, forHTTPHeaderField: "Authorization")
    }
    completionHandler(request)
  }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
  ) {
    guard let response = response as? HTTPURLResponse else { return completionHandler(.cancel) }
    let retryAfter = response.value(forHTTPHeaderField: "Retry-After").flatMap { Double($0) }
      .flatMap { $0.isFinite ? $0 : nil }
    state.withLock { $0.answer = Answer(status: response.statusCode, retryAfter: retryAfter) }
    guard (200..<300).contains(response.statusCode) else { return completionHandler(.allow) }
    do {
      // Not through a link: who can put one there would have the download written wherever it leads.
      let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
      let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
      // A server that ignores the range sends the file from its beginning.
      try file.truncate(atOffset: response.statusCode == 206 ? UInt64(offset) : 0)
      try file.seekToEnd()
      state.withLock { $0.file = file }
      completionHandler(.allow)
    } catch {
      state.withLock { $0.failure = error }
      completionHandler(.cancel)
    }
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    let size = state.withLock { state -> Int? in
      guard let file = state.file, state.failure == nil else { return nil }
      do {
        guard Int(try file.offset()) + data.count <= limit else { throw Excess() }
        try file.write(contentsOf: data)
        return Int(try file.offset())
      } catch {
        state.failure = error
        return nil
      }
    }
    if let size { received(size) } else if state.withLock({ $0.failure != nil }) { dataTask.cancel() }
  }

  func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
    let (continuation, result) = state.withLock {
      state -> (CheckedContinuation<Answer, any Error>?, Result<Answer, any Error>) in
      let continuation = state.continuation
      state.continuation = nil
      try? state.file?.close()
      if let failure = state.failure ?? error { return (continuation, .failure(failure)) }
      return (continuation, .success(state.answer))
    }
    continuation?.resume(with: result)
  }
}
