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

  private let maximumBodyBytes: Int

  /// - Parameter maximumBodyBytes: bytes of a request's body.
  init(maximumBodyBytes: Int) { self.maximumBodyBytes = maximumBodyBytes }

  func handlerAdded(context: ChannelHandlerContext) {
    // Versions are seen only right behind the decoder.
    let pipeline = context.pipeline.syncOperations
    if let decoder = try? pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self) {
      try? pipeline.addHandler(HTTPVersions(maximumBodyBytes: maximumBodyBytes), position: .after(decoder))
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
