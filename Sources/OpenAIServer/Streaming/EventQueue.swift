package import JSON
package import NIOCore
internal import Synchronization

/// Server-sent events between those who write answers and the one who sends them to the client. Bounded in bytes.
package final class EventQueue: Sendable {
  private struct State {
    var pending = ByteBuffer()
    var isFinished = false
    var isCut = false
    /// Events written.
    var count = 0
    /// Why it was.
    var cause: String?
    var waiter: CheckedContinuation<ByteBuffer?, Never>?
    /// Since when the sender has been busy with what it took.
    var sendingSince: ContinuousClock.Instant?
    /// Events that wait until nothing else does, and their writers.
    var large: [(text: String, writer: CheckedContinuation<Bool, Never>)] = []

    /// What the sender waits for, when there is something for it.
    mutating func resumption() -> (CheckedContinuation<ByteBuffer?, Never>, ByteBuffer?)? {
      guard pending.readableBytes > 0 || isFinished, let waiter else { return nil }
      self.waiter = nil
      return (waiter, take())
    }

    mutating func take() -> ByteBuffer? {
      guard pending.readableBytes > 0 else { return nil }
      defer { pending = ByteBuffer() }
      sendingSince = .now
      return pending
    }
  }

  private let limit: Int
  private let framing: EventFraming
  private let state = Mutex(State())

  /// - Parameter limit: bytes that may wait for the sender.
  package init(limit: Int, framing: EventFraming = .data) {
    self.limit = limit
    self.framing = framing
  }

  /// Adds an event.
  ///
  /// - Returns: false when the stream takes no more: it is finished, or its reader has fallen too far behind.
  package func push(_ event: JSONValue) -> Bool {
    let text = framing.text(event)
    return change { state in
      guard !state.isFinished else { return false }
      guard state.pending.readableBytes + text.utf8.count <= limit else {
        cut(&state, because: .readerTooSlow)
        return false
      }
      Self.write(text, to: &state)
      return true
    }
  }

  /// Adds an event that may be large, once there is room for it or nothing else waits; a reader is not too slow for it.
  ///
  /// - Returns: false when the stream has ended meanwhile.
  package func push(whenThereIsRoom event: JSONValue) async -> Bool {
    let text = framing.text(event)
    return await withCheckedContinuation { continuation in change { $0.large.append((text, continuation)) } }
  }

  /// Ends the stream after what is in it.
  ///
  /// - Parameter isComplete: whether the reader is told that nothing is missing.
  package func finish(isComplete: Bool = false) {
    change { state in
      if isComplete, !state.isFinished { state.pending.writeString(framing.ending) }
      state.isFinished = true
    }
  }

  /// Ends the stream with an error, after what is in it.
  ///
  /// - Parameter events: what tells of the error; `nil` for what the API's streams say of all errors.
  package func fail(_ error: APIError, saying events: [JSONValue]? = nil) {
    change { cut(&$0, because: error, saying: events) }
  }

  /// All events that have come since the last call; waits for one. `nil` at the end.
  package func next() async -> ByteBuffer? {
    await withCheckedContinuation { continuation in
      change { state in
        state.sendingSince = nil
        state.waiter = continuation
      }
    }
  }

  /// How long the sender has been busy with what it took last.
  package var sendingTime: Duration? { state.withLock(\.sendingSince).map { ContinuousClock.now - $0 } }

  /// Whether the reader fell too far behind or the stream failed.
  package var isCut: Bool { state.withLock(\.isCut) }

  /// Why the stream was cut, by the error's name.
  package var cause: String? { state.withLock(\.cause) }

  @discardableResult
  private func change<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
    let (result, resumption, writers) = state.withLock { state in
      let result = body(&state)
      let writers = admitLarge(&state)
      return (result, state.resumption(), writers)
    }
    for writer in writers.admitted { writer.resume(returning: true) }
    for writer in writers.refused { writer.resume(returning: false) }
    if let (waiter, buffer) = resumption { waiter.resume(returning: buffer) }
    return result
  }

  /// Writes large events as far as there is room.
  private func admitLarge(
    _ state: inout State
  ) -> (admitted: [CheckedContinuation<Bool, Never>], refused: [CheckedContinuation<Bool, Never>]) {
    guard !state.isFinished else {
      defer { state.large = [] }
      return ([], state.large.map(\.writer))
    }
    var admitted: [CheckedContinuation<Bool, Never>] = []
    while let first = state.large.first,
      state.pending.readableBytes == 0 || state.pending.readableBytes + first.text.utf8.count <= limit / 2
    {
      Self.write(first.text, to: &state)
      admitted.append(first.writer)
      state.large.removeFirst()
    }
    return (admitted, [])
  }

  private func cut(_ state: inout State, because error: APIError, saying events: [JSONValue]? = nil) {
    guard !state.isFinished else { return }
    (state.isFinished, state.isCut, state.cause) = (true, true, error.code ?? error.kind)
    for event in events ?? [framing.event(error, number: state.count)] {
      Self.write(framing.text(event), to: &state)
    }
  }

  private static func write(_ text: String, to state: inout State) {
    state.pending.writeString(text)
    state.count += 1
  }
}
