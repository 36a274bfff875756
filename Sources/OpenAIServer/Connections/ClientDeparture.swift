internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypes
internal import NIOHTTPTypesHTTP1

/// Closes a connection as soon as its client has hung up, so that whoever works for it can stop.
///
/// A client that closes only its sending side counts as gone: none that reads an answer does that before the answer.
final class ClientDeparture: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart

  /// Bytes that the system may hold for a reader that does not read; by itself it would take megabytes.
  static let sendBufferBytes: SocketOptionValue = 256 << 10

  func handlerAdded(context: ChannelHandlerContext) {
    if let codec = try? context.pipeline.syncOperations.context(handlerType: HTTP1ToHTTPServerCodec.self) {
      try? context.pipeline.syncOperations.addHandler(HostPresence(), position: .before(codec.handler))
    }
    context.channel.setOption(.socketOption(.so_sndbuf), value: Self.sendBufferBytes).whenComplete { _ in }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let event = event as? ChannelEvent, event == .inputClosed {
      context.close(promise: nil)
    } else {
      context.fireUserInboundEventTriggered(event)
    }
  }
}

/// Gives a request of HTTP/1.1 that names no host an empty name, so that `HostCheck`, which does not see the version, can
/// tell it from one of HTTP/1.0, which need not name any.
private final class HostPresence: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .head(var head) = unwrapInboundIn(data), head.version.major == 1, head.version.minor >= 1,
      !head.headers.contains(name: "Host")
    else { return context.fireChannelRead(data) }
    head.headers.add(name: "Host", value: "")
    context.fireChannelRead(wrapInboundOut(.head(head)))
  }
}
