internal import Synchronization

/// Requests that are being answered, so that they can be counted and ended.
final class RunningRequests: Sendable {
  private struct State {
    var endings: [Int: @Sendable (APIError) -> Void] = [:]
    var registered = 0
    var isStopping = false
  }

  private let state = Mutex(State())

  var count: Int { state.withLock(\.endings.count) }

  /// Registers a request until the registration is dropped.
  ///
  /// - Parameter end: ends the request with an error.
  /// - Throws: 503 when the server is stopping.
  func register(_ end: @escaping @Sendable (APIError) -> Void) throws(APIError) -> Registration {
    let number = state.withLock { state -> Int? in
      guard !state.isStopping else { return nil }
      state.registered += 1
      state.endings[state.registered] = end
      return state.registered
    }
    guard let number else { throw APIError.shuttingDown }
    return Registration(requests: self, number: number)
  }

  /// From now on, `register` throws.
  func refuseNewOnes() { state.withLock { $0.isStopping = true } }

  /// Ends every request with `error`.
  func endAll(because error: APIError) {
    let endings = state.withLock { Array($0.endings.values) }
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
