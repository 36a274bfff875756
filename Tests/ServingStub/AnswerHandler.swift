import NIOCore
import NIOHTTP1

/// One connection: answers models, the truth, and streams of tokens.
final class AnswerHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let timing: Timing
  private let truth: Truth
  private var path = ""
  private var isChat: Bool { path.hasPrefix("/v1/chat") }

  /// The answer under way.
  private struct Answer {
    let number: UInt64
    let received: NIODeadline
    var sent: [NIODeadline] = []
  }
  private var answer: Answer?

  init(timing: Timing, truth: Truth) {
    self.timing = timing
    self.truth = truth
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): path = head.uri
    case .body: break
    case .end: respond(context)
    }
  }

  func channelInactive(context: ChannelHandlerContext) { finishAnswer() }

  private func respond(_ context: ChannelHandlerContext) {
    switch path {
    case "/v1/models": send(context, "application/json", Array(#"{"object":"list","data":[{"id":"stub"}]}"#.utf8))
    case "/truth": send(context, "application/json", truth.json)
    case "/v1/completions", "/v1/chat/completions": beginStream(context)
    default: send(context, "application/json", Array(#"{"error":{"message":"no such path"}}"#.utf8), .notFound)
    }
  }

  private func send(
    _ context: ChannelHandlerContext, _ type: String, _ body: [UInt8], _ status: HTTPResponseStatus = .ok
  ) {
    let headers: HTTPHeaders = ["content-type": type, "content-length": "\(body.count)"]
    context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: status, headers: headers))), promise: nil)
    context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  private func beginStream(_ context: ChannelHandlerContext) {
    answer = Answer(number: truth.begin(), received: .now())
    let headers: HTTPHeaders = ["content-type": "text/event-stream", "transfer-encoding": "chunked"]
    context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: .ok, headers: headers))), promise: nil)
    schedule(context, timing.firstMilliseconds)
  }

  private func schedule(_ context: ChannelHandlerContext, _ mean: Double) {
    guard let answer else { return }
    let delay = timing.delay(mean, answer: answer.number, index: answer.sent.count)
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    context.eventLoop.scheduleTask(in: delay) {
      let (handler, context) = bound.value
      handler.sendToken(context)
    }
  }

  private func sendToken(_ context: ChannelHandlerContext) {
    guard let count = answer?.sent.count, context.channel.isActive else { return }
    let text = "t\(count) "
    let isLast = count + 1 == timing.tokens
    let reason = isLast ? #""length""# : "null"
    let choice =
      isChat
      ? #"{"index":0,"delta":{"content":"\#(text)"},"finish_reason":\#(reason)}"#
      : #"{"index":0,"text":"\#(text)","finish_reason":\#(reason)}"#
    let time = NIODeadline.now()
    write(context, #"{"id":"stub","model":"stub","choices":[\#(choice)]}"#, flushes: true)
    answer?.sent.append(time)
    guard isLast else { return schedule(context, timing.gapMilliseconds) }
    let usage = #""prompt_tokens":8,"completion_tokens":\#(timing.tokens),"total_tokens":\#(timing.tokens + 8)"#
    write(context, #"{"id":"stub","model":"stub","choices":[],"usage":{\#(usage)}}"#, flushes: false)
    write(context, "[DONE]", flushes: false)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    finishAnswer()
  }

  private func write(_ context: ChannelHandlerContext, _ data: String, flushes: Bool) {
    let part = wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "data: \(data)\n\n"))))
    if flushes { context.writeAndFlush(part, promise: nil) } else { context.write(part, promise: nil) }
  }

  private func finishAnswer() {
    guard let answer else { return }
    self.answer = nil
    truth.end(received: answer.received, sent: answer.sent)
  }
}
