import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A server of raw bytes: for each request, pieces with pauses before them, then the end of the connection unless it hangs.
struct ScriptedServer {
  /// What follows a request.
  struct Script: Sendable {
    var pieces: [(milliseconds: Int64, text: String)]
    /// Whether the connection stays open, and silent, after the last piece.
    var hangs = false

    /// A stream of events, as a server writes it.
    static func stream(_ events: [String], ends: Bool = true) -> Script {
      let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
      let body = (events + (ends ? ["[DONE]"] : [])).map { (milliseconds: Int64(2), text: "data: \($0)\n\n") }
      return Script(pieces: [(0, head)] + body)
    }

    /// A whole answer.
    static func whole(_ status: String, _ body: String, type: String = "application/json") -> Script {
      Script(pieces: [
        (
          0,
          "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
        )
      ])
    }
  }

  /// Where it listens.
  let baseURL: String
  private let bodies: RequestLog

  /// The requests' texts until now.
  var requests: [String] { bodies.texts.withLock { $0 } }

  /// Serves while `body` runs; `script` answers the request with a number, counted from 0, and a text.
  static func run(
    _ script: @escaping @Sendable (Int, String) -> Script, _ body: (ScriptedServer) async throws -> Void
  ) async throws {
    let loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let bodies = RequestLog()
    let channel = try await ServerBootstrap(group: loops)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Handler(script: script, bodies: bodies))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let server = ScriptedServer(baseURL: "http://127.0.0.1:\(channel.localAddress?.port ?? 0)", bodies: bodies)
    do {
      try await body(server)
    } catch {
      try? await loops.shutdownGracefully()
      throw error
    }
    try await loops.shutdownGracefully()
  }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let script: @Sendable (Int, String) -> Script
    private let bodies: RequestLog
    private var received = ""

    init(script: @escaping @Sendable (Int, String) -> Script, bodies: RequestLog) {
      self.script = script
      self.bodies = bodies
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      received += String(buffer: unwrapInboundIn(data))
      guard let end = received.range(of: "\r\n\r\n") else { return }
      let head = received[..<end.lowerBound].lowercased()
      let length = head.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
        .flatMap { Int($0.dropFirst(15).drop { $0 == " " }) }
      guard received[end.upperBound...].utf8.count >= length ?? 0 else { return }
      let request = received
      received = ""
      let number = bodies.texts.withLock { bodies in
        bodies.append(request)
        return bodies.count - 1
      }
      play(script(number, request), from: 0, context)
    }

    private func play(_ script: Script, from index: Int, _ context: ChannelHandlerContext) {
      guard index < script.pieces.count else {
        if !script.hangs { context.close(promise: nil) }
        return
      }
      let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
      context.eventLoop.scheduleTask(in: .milliseconds(script.pieces[index].milliseconds)) {
        let (handler, context) = bound.value
        let bytes = ByteBuffer(string: script.pieces[index].text)
        context.writeAndFlush(handler.wrapOutboundOut(bytes), promise: nil)
        handler.play(script, from: index + 1, context)
      }
    }
  }
}

/// Requests' texts, from any thread.
private final class RequestLog: Sendable {
  let texts = Mutex<[String]>([])
}
