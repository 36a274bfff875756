internal import Foundation
internal import Synchronization

#if canImport(FoundationNetworking)
internal import FoundationNetworking
#endif

/// One HTTP exchange whose body goes to a file, piece by piece; never all of it in memory.
///
/// A redirect to another host goes without the Authorization header: the token is the hub's alone.
final class HubTransfer: NSObject, URLSessionDataDelegate {
  /// What came of it.
  struct Outcome: Sendable {
    let status: Int
    /// Header fields of the last response and of redirects before it, names in lower case.
    let headers: [String: String]
  }

  private struct State {
    var headers: [String: String] = [:]
    var status = 0
    var file: FileHandle?
    var failure: (any Error)?
    var continuation: CheckedContinuation<Outcome, any Error>?
  }

  private let path: String
  /// Bytes that the file has already; a response with status 206 continues them.
  private let offset: Int
  /// A body that makes the file longer than this is cut off.
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
  /// - Parameter received: called with the file's size as it grows.
  /// - Throws: what the system says when the connection fails; the file keeps what had come.
  static func run(
    _ request: URLRequest, to path: String, offset: Int = 0, limit: Int,
    received: @escaping @Sendable (Int) -> Void = { _ in }
  ) async throws -> Outcome {
    let transfer = HubTransfer(path: path, offset: offset, limit: limit, received: received)
    let configuration = URLSessionConfiguration.ephemeral
    configuration.timeoutIntervalForRequest = 60
    let session = URLSession(configuration: configuration, delegate: transfer, delegateQueue: nil)
    defer { session.finishTasksAndInvalidate() }
    return try await withCheckedThrowingContinuation { continuation in
      transfer.state.withLock { $0.continuation = continuation }
      session.dataTask(with: request).resume()
    }
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
    newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
  ) {
    keep(response)
    var request = request
    let (from, to) = (response.url, request.url)
    if from?.host != to?.host || from?.port != to?.port || from?.scheme != to?.scheme {
      request.setValue(nil, forHTTPHeaderField: "Authorization")
    }
    completionHandler(request)
  }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
  ) {
    guard let response = response as? HTTPURLResponse else { return completionHandler(.cancel) }
    keep(response)
    guard (200..<300).contains(response.statusCode) else { return completionHandler(.allow) }
    do {
      if !FileManager.default.fileExists(atPath: path) { try Data().write(to: URL(fileURLWithPath: path)) }
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
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
        guard Int(try file.offset()) + data.count <= limit else {
          throw HubError("the answer is longer than the \(limit) bytes expected")
        }
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
      state -> (CheckedContinuation<Outcome, any Error>?, Result<Outcome, any Error>) in
      let continuation = state.continuation
      state.continuation = nil
      try? state.file?.close()
      if let failure = state.failure ?? error { return (continuation, .failure(failure)) }
      return (continuation, .success(Outcome(status: state.status, headers: state.headers)))
    }
    continuation?.resume(with: result)
  }

  private func keep(_ response: HTTPURLResponse) {
    state.withLock { state in
      state.status = response.statusCode
      for (name, value) in response.allHeaderFields {
        state.headers["\(name)".lowercased()] = "\(value)"
      }
    }
  }
}
