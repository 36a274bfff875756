internal import NIOCore
internal import NIOHTTP1

/// Speaks HTTP/1.0 with clients that do, and tells clients that wait for leave to send a body to go on.
///
/// A client of HTTP/1.0 knows no chunks: its answer goes on until the connection is closed.
final class HTTPVersions: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  /// The header that carries a request's version to those who see no connection; what a client sends under this name
  /// is overwritten.
  static let header = "x-foretoken-http-version"

  /// A request that has not been answered.
  private struct Pending {
    let isOld: Bool
    var waitsForLeave: Bool
  }

  private let maximumBodyBytes: Int
  private var pending: CircularBuffer<Pending> = []

  /// - Parameter maximumBodyBytes: a body that is said to be larger gets no leave.
  init(maximumBodyBytes: Int) { self.maximumBodyBytes = maximumBodyBytes }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .head(var head) = Self.unwrapInboundIn(data) else { return context.fireChannelRead(data) }
    let isOld = head.version.major == 1 && head.version.minor == 0
    let length = head.headers.first(name: "content-length").flatMap(Int.init) ?? 0
    let waits = head.headers[canonicalForm: "expect"].contains { $0.lowercased() == "100-continue" }
    pending.append(Pending(isOld: isOld, waitsForLeave: waits && !isOld && length <= maximumBodyBytes))
    head.headers.replaceOrAdd(name: Self.header, value: "\(head.version.major).\(head.version.minor)")
    context.fireChannelRead(Self.wrapInboundOut(.head(head)))
    giveLeave(context)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let isOld = pending.first?.isOld ?? false
    switch Self.unwrapOutboundIn(data) {
    case .head(var head) where isOld:
      head.version = .http1_0
      head.headers.replaceOrAdd(name: "connection", value: "close")
      context.write(Self.wrapOutboundOut(.head(head)), promise: promise)
    case .end(let trailers):
      if !pending.isEmpty { pending.removeFirst() }
      let sent = promise ?? context.eventLoop.makePromise(of: Void.self)
      if isOld { sent.futureResult.whenComplete { [channel = context.channel] _ in channel.close(promise: nil) } }
      context.write(Self.wrapOutboundOut(.end(isOld ? nil : trailers)), promise: sent)
      giveLeave(context)
    default: context.write(data, promise: promise)
    }
  }

  /// Tells the client whose turn it is to send its body, if it waits for that.
  private func giveLeave(_ context: ChannelHandlerContext) {
    guard pending.first?.waitsForLeave == true else { return }
    pending[pending.startIndex].waitsForLeave = false
    let head = HTTPResponseHead(version: .http1_1, status: .continue)
    context.writeAndFlush(Self.wrapOutboundOut(.head(head)), promise: nil)
  }
}
