internal import Dispatch
internal import Foundation
internal import Synchronization

/// Hands events to those who wait for them, on a thread of its own: waking dozens of readers would hold up the engine.
final class Delivery: Sendable {
  typealias Client = AsyncStream<GenerationEvent>.Continuation

  private struct State {
    var events: [(client: Client, event: GenerationEvent)] = []
    var isClosed = false
  }

  private let state = Mutex(State())
  private let arrivals = DispatchSemaphore(value: 0)

  /// Starts the thread; it ends after `close()`.
  init() {
    let thread = Thread { self.run() }
    thread.name = "foretoken.delivery"
    thread.start()
  }

  /// Delivers `events` in this order, after those of earlier calls. An answer's last event ends its stream.
  func post(_ events: [(client: Client, event: GenerationEvent)]) {
    guard !events.isEmpty else { return }
    state.withLock { $0.events += events }
    arrivals.signal()
  }

  /// Ends the thread when everything is delivered.
  func close() {
    state.withLock { $0.isClosed = true }
    arrivals.signal()
  }

  private func run() {
    while true {
      arrivals.wait()
      let (events, isClosed) = state.withLock { state in
        defer { state.events = [] }
        return (state.events, state.isClosed)
      }
      for (client, event) in events {
        client.yield(event)
        if case .finished = event { client.finish() }
      }
      if isClosed { return }
    }
  }
}
