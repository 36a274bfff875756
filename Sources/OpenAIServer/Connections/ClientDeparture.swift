internal import NIOCore
internal import NIOHTTPTypes

/// Closes a connection as soon as its client has hung up, so that whoever works for it can stop.
///
/// A client that closes only its sending side counts as gone: none that reads an answer does that before the answer.
final class ClientDeparture: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart

  /// Bytes that the system may hold for a reader that does not read; by itself it would take megabytes.
  static let sendBufferBytes: SocketOptionValue = 256 << 10

  func handlerAdded(context: ChannelHandlerContext) {
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
