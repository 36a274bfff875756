internal import Dispatch
internal import Foundation
internal import Synchronization

/// Runs a `DecodingLoop` on a thread of its own; requests come in and tokens go out from anywhere.
public final class Engine: Sendable {
  /// Number of token ids of the model.
  public let vocabularySize: Int
  /// Longest sequence, prompt and output.
  public let maximumLength: Int
  private let mailbox: Mailbox

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - auditShare: share of the answers (0 to 1) to decode again without speculation, in idle moments.
  ///   - mismatch: called when such an answer differs.
  ///   - preparing: called on the thread before anything else.
  package init(
    _ loop: sending DecodingLoop, auditShare: Double = 0,
    mismatch: @escaping @Sendable (AuditMismatch) -> Void = { _ in },
    preparing prepare: @escaping @Sendable () -> Void = {}
  ) {
    vocabularySize = loop.vocabularySize
    maximumLength = loop.maximumLength
    let mailbox = Mailbox()
    self.mailbox = mailbox
    let box = HandedLoop(loop)
    let thread = Thread {
      guard let loop = box.take() else { return }
      prepare()
      Self.run(loop, mailbox, Auditor(share: auditShare, report: mismatch))
    }
    thread.name = "foretoken.engine"
    thread.start()
  }

  deinit { mailbox.post(.shutDown) }

  /// What is going on, and what was done so far, as of the last step.
  public var statistics: EngineStatistics { mailbox.statistics }

  /// Submits a request.
  ///
  /// The stream holds at most the answer's tokens, so a slow reader costs no more than the answer. Dropping the stream
  /// or cancelling the task that reads it cancels the request within one step of the engine.
  ///
  /// - Throws: `RequestError` when the request does not fit the model.
  public func generate(_ request: GenerationRequest) throws(RequestError) -> AsyncStream<GenerationEvent> {
    try request.validate(vocabularySize: vocabularySize, maximumLength: maximumLength)
    let id = mailbox.nextID()
    let (stream, continuation) = AsyncStream.makeStream(of: GenerationEvent.self)
    continuation.onTermination = { [mailbox] termination in
      if case .cancelled = termination { mailbox.post(.cancel(id)) }
    }
    mailbox.post(.submit(id, request, continuation))
    return stream
  }

  private static func run(_ loop: DecodingLoop, _ mailbox: Mailbox, _ auditor: Auditor) {
    var clients: [RequestID: Delivery.Client] = [:]
    let delivery = Delivery()
    defer { delivery.close() }
    func emit(_ events: [(request: RequestID, event: GenerationEvent)]) {
      var due: [(client: Delivery.Client, event: GenerationEvent)] = []
      for (id, event) in events where !auditor.sees(event, of: id) {
        guard let client = clients[id] else { continue }
        due.append((client, event))
        if case .finished = event { clients[id] = nil }
      }
      delivery.post(due)
    }
    var meter = StepMeter()
    while true {
      let messages = mailbox.take(waiting: loop.isIdle && !auditor.hasWork)
      meter.start(loop)
      for message in messages {
        switch message {
        case .submit(let id, let request, let client):
          clients[id] = client
          auditor.requestArrived(request, as: id, in: loop)
          do { try loop.submit(request, as: id) } catch {
            client.finish()
            clients[id] = nil
          }
        case .cancel(let id):
          if let last = loop.cancel(id) { emit([(id, last)]) }
        case .shutDown:
          emit(clients.keys.sorted().compactMap { id in loop.cancel(id).map { (id, $0) } })
          return
        }
      }
      if loop.isIdle { auditor.begin(in: loop) }
      var statistics = loop.statistics
      if !loop.isIdle {
        emit(loop.step())
        statistics = loop.statistics
        meter.finish(loop)
      }
      meter.add(to: &statistics)
      (statistics.audited, statistics.auditMismatches) = (auditor.audited, auditor.mismatches)
      mailbox.publish(statistics)
    }
  }
}

/// Measures what steps take, and how much of it beside passes.
private struct StepMeter {
  private var steps = EngineStatistics()
  private var started = ContinuousClock.now
  private var passSeconds = 0.0

  mutating func start(_ loop: DecodingLoop) {
    started = .now
    passSeconds = loop.passSeconds
  }

  mutating func finish(_ loop: DecodingLoop) {
    let seconds = (ContinuousClock.now - started) / .seconds(1)
    steps.steps += 1
    steps.stepSeconds += seconds
    steps.overheadSeconds.observe(seconds - (loop.passSeconds - passSeconds))
  }

  func add(to statistics: inout EngineStatistics) {
    (statistics.steps, statistics.stepSeconds) = (steps.steps, steps.stepSeconds)
    statistics.overheadSeconds = steps.overheadSeconds
  }
}

/// Messages to the engine's thread, and its news.
private final class Mailbox: Sendable {
  enum Message: Sendable {
    case submit(RequestID, GenerationRequest, AsyncStream<GenerationEvent>.Continuation)
    case cancel(RequestID)
    case shutDown
  }

  private struct State {
    var messages: [Message] = []
    var submitted = 0
    var statistics = EngineStatistics()
  }

  private let state = Mutex(State())
  private let arrivals = DispatchSemaphore(value: 0)

  func nextID() -> RequestID {
    state.withLock { state in
      state.submitted += 1
      return RequestID(state.submitted)
    }
  }

  func post(_ message: Message) {
    state.withLock { $0.messages.append(message) }
    arrivals.signal()
  }

  var statistics: EngineStatistics { state.withLock(\.statistics) }

  func publish(_ statistics: EngineStatistics) { state.withLock { $0.statistics = statistics } }

  /// Everything that has arrived; sleeps until something has when `waiting`.
  func take(waiting: Bool) -> [Message] {
    if waiting { arrivals.wait() }
    return state.withLock { state in
      defer { state.messages = [] }
      return state.messages
    }
  }
}

/// Carries the loop from the thread that built it to the one that runs it.
private final class HandedLoop: Sendable {
  private let loop: Mutex<DecodingLoop?>

  init(_ loop: sending DecodingLoop) { self.loop = Mutex(loop) }

  func take() -> sending DecodingLoop? {
    loop.withLock { held in
      let loop = held
      held = nil
      return loop
    }
  }
}
