import JSON
import NIOCore
import OpenAIServer
import Testing

@Suite struct EventQueueTests {
  static func text(_ buffer: ByteBuffer?) -> String? { buffer.map { String(buffer: $0) } }

  @Test("events that have come are taken together, in order, and the end follows them")
  func order() async {
    let queue = EventQueue(limit: 1000)
    #expect(queue.push(["a": 1]))
    queue.finish(isComplete: true)
    #expect(!queue.push("late"))
    #expect(Self.text(await queue.next()) == "data: {\"a\":1}\n\ndata: [DONE]\n\n")
    #expect(await queue.next() == nil)
  }

  @Test("a sender that waits gets what comes")
  func waiting() async {
    let queue = EventQueue(limit: 1000)
    async let first = queue.next()
    await Task.yield()
    #expect(queue.push(1))
    #expect(Self.text(await first) == "data: 1\n\n")
    async let second = queue.next()
    queue.finish()
    #expect(await second == nil)
  }

  @Test("a reader that falls too far behind is told so after what it has")
  func overflow() async {
    let queue = EventQueue(limit: 28)
    #expect(queue.push("0123456789"))
    #expect(!queue.push("0123456789"))
    #expect(queue.isCut)
    let text = Self.text(await queue.next()) ?? ""
    #expect(text.hasPrefix("data: \"0123456789\"\n\ndata: {\"error\":") && text.contains("reader_too_slow"))
    #expect(await queue.next() == nil)
  }

  @Test("events that may be large wait for the reader one after another, and are let go when the stream ends")
  func large() async {
    let queue = EventQueue(limit: 28)
    let text = String(repeating: "x", count: 100)
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<3 { group.addTask { await queue.push(whenThereIsRoom: .string(text)) } }
      for _ in 0..<3 { #expect(Self.text(await queue.next()) == "data: \"\(text)\"\n\n") }
      for await isTaken in group { #expect(isTaken) }
    }
    #expect(queue.push(1))
    async let last = queue.push(whenThereIsRoom: .string(text))
    queue.finish()
    let isTaken = await last
    #expect(!isTaken && !queue.isCut)
  }

  @Test("events of responses and messages have their type before them, and so has the error that ends the stream")
  func types() async {
    for (framing, error) in [
      (
        EventFraming.responses,
        "event: error\ndata: {\"type\":\"error\",\"sequence_number\":1,\"code\":\"shutting_down\""
      ),
      (.messages, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\""),
    ] {
      let queue = EventQueue(limit: 1000, framing: framing)
      #expect(queue.push(["type": "a.b", "n": 1]))
      queue.fail(.shuttingDown)
      let text = Self.text(await queue.next()) ?? ""
      #expect(text.hasPrefix("event: a.b\ndata: {\"type\":\"a.b\",\"n\":1}\n\n" + error) && queue.isCut)
      #expect(await queue.next() == nil)
    }
    let queue = EventQueue(limit: 1000, framing: .messages)
    queue.finish(isComplete: true)
    #expect(await queue.next() == nil)
  }

  @Test("the time counts while the sender is busy")
  func sendingTime() async {
    let queue = EventQueue(limit: 1000)
    #expect(queue.sendingTime == nil)
    #expect(queue.push(1))
    _ = await queue.next()
    #expect(queue.sendingTime != nil)
    queue.finish()
    _ = await queue.next()
    #expect(queue.sendingTime == nil)
  }
}
