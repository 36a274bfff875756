internal import NIOCore
internal import Synchronization

/// The open connections, and what to do when one of them closes.
final class ConnectionTable: Sendable {
  private let connections = Mutex<[ObjectIdentifier: ClientConnection]>([:])

  func connection(of channel: any Channel) -> ClientConnection {
    let key = ObjectIdentifier(channel)
    let (connection, isNew) = connections.withLock { table -> (ClientConnection, Bool) in
      if let known = table[key] { return (known, false) }
      let connection = ClientConnection(channel: channel)
      table[key] = connection
      return (connection, true)
    }
    if isNew {
      channel.closeFuture.whenComplete { [weak self] _ in
        self?.connections.withLock { $0[key] = nil }
        connection.wasClosed()
      }
    }
    return connection
  }

  /// Hangs up on everyone after a moment, which lets what was written go out.
  func closeIdle(after delay: Duration) {
    let open = connections.withLock { Array($0.values) }
    for connection in open { connection.close(after: delay) }
  }
}

/// One client's connection.
final class ClientConnection: Sendable {
  private struct State {
    var isClosed = false
    var actions: [Int: @Sendable () -> Void] = [:]
    var registered = 0
  }

  private let channel: any Channel
  private let state = Mutex(State())

  init(channel: any Channel) { self.channel = channel }

  /// Calls `action` when the connection closes, at once when it has; until the registration is dropped.
  func onClose(_ action: @escaping @Sendable () -> Void) -> CloseRegistration {
    let number = state.withLock { state -> Int? in
      guard !state.isClosed else { return nil }
      state.registered += 1
      state.actions[state.registered] = action
      return state.registered
    }
    if number == nil { action() }
    return CloseRegistration(connection: self, number: number)
  }

  /// Hangs up after `delay`.
  func close(after delay: Duration = .zero) {
    channel.eventLoop.scheduleTask(in: TimeAmount(delay)) { [channel] in channel.close(promise: nil) }
  }

  fileprivate func wasClosed() {
    let actions = state.withLock { state in
      state.isClosed = true
      defer { state.actions = [:] }
      return state.actions
    }
    for action in actions.values { action() }
  }

  fileprivate func forget(_ number: Int) { state.withLock { $0.actions[number] = nil } }
}

/// Keeps an action of `ClientConnection.onClose` registered.
final class CloseRegistration: Sendable {
  private let connection: ClientConnection
  private let number: Int?

  init(connection: ClientConnection, number: Int?) {
    self.connection = connection
    self.number = number
  }

  deinit { if let number { connection.forget(number) } }
}
