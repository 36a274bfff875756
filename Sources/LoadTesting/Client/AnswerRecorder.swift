internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// Notes when each piece of an answer arrives, on the event loop that read it from the socket, and nothing more: what the
/// pieces mean is worked out elsewhere.
final class AnswerRecorder: HTTPClientResponseDelegate {
  /// An error's body is kept up to here.
  private static let longestErrorBody = 64 * 1024

  private let answer = Mutex(RawAnswer())
  private let onPiece: @Sendable () -> Void

  init(onPiece: @escaping @Sendable () -> Void) { self.onPiece = onPiece }

  /// What came until now.
  var current: RawAnswer { answer.withLock { $0 } }

  func didReceiveHead(task: HTTPClient.Task<RawAnswer>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
    answer.withLock {
      $0.status = Int(head.status.code)
      $0.contentType = head.headers.first(name: "content-type") ?? ""
    }
    return task.eventLoop.makeSucceededVoidFuture()
  }

  func didReceiveBodyPart(task: HTTPClient.Task<RawAnswer>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
    let time = NIODeadline.now().uptimeNanoseconds
    answer.withLock {
      if ($0.status ?? 0) >= 400, $0.bytes.count > Self.longestErrorBody { return }
      $0.bytes.append(contentsOf: buffer.readableBytesView)
      $0.marks.append(RawAnswer.Mark(end: $0.bytes.count, time: time))
    }
    onPiece()
    return task.eventLoop.makeSucceededVoidFuture()
  }

  func didFinishRequest(task: HTTPClient.Task<RawAnswer>) throws -> RawAnswer { current }
}
