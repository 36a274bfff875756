internal import Synchronization

/// Requests that are being answered, so that they can be counted and ended.
final class RunningRequests: Sendable {
  private struct State {
    var endings: [Int: @Sendable (APIError) -> Void] = [:]
    var registered = 0
    var isStopping = false
    var isOver = false
  }

  private let state = Mutex(State())

  var count: Int { state.withLock(\.endings.count) }

  /// Registers a part of a request's work until the registration is dropped.
  ///
  /// - Parameters:
  ///   - isNew: whether the request has only come; one that was taken before the order to stop is carried to its end.
  ///   - end: ends the request with an error.
  /// - Throws: 503 for new requests when the server is stopping, and for all once their time is over.
  func register(isNew: Bool = false, _ end: @escaping @Sendable (APIError) -> Void) throws(APIError) -> Registration {
    let number = state.withLock { state -> Int? in
      guard !(isNew && state.isStopping), !state.isOver else { return nil }
      state.registered += 1
      state.endings[state.registered] = end
      return state.registered
    }
    guard let number else { throw APIError.shuttingDown }
    return Registration(requests: self, number: number)
  }

  /// From now on, `register` throws for new requests.
  func refuseNewOnes() { state.withLock { $0.isStopping = true } }

  /// Ends every request with `error`, and what of them would begin from now on.
  func endAll(because error: APIError) {
    let endings = state.withLock { state in
      state.isOver = true
      return Array(state.endings.values)
    }
    for end in endings { end(error) }
  }

  /// Keeps a request registered.
  final class Registration: Sendable {
    private let requests: RunningRequests
    private let number: Int

    fileprivate init(requests: RunningRequests, number: Int) {
      self.requests = requests
      self.number = number
    }

    deinit { requests.state.withLock { [number] in $0.endings[number] = nil } }
  }
}
