internal import Synchronization

/// Ties a stream's work to those who may end it: the client that leaves, the server that stops, the last reference.
final class RunningStream: Sendable {
  private let queue: EventQueue
  private let connection: ClientConnection
  private let requests: RunningRequests
  private let writing: Task<Void, Never>
  private let registrations = Mutex<(RunningRequests.Registration, CloseRegistration)?>(nil)

  init(queue: EventQueue, connection: ClientConnection, requests: RunningRequests, writing: Task<Void, Never>) {
    self.queue = queue
    self.connection = connection
    self.requests = requests
    self.writing = writing
  }

  /// Registers with the client's connection and the server.
  ///
  /// - Throws: 503 when the time to stop is over.
  func start() throws(APIError) {
    let (queue, writing) = (queue, writing)
    let registration = try requests.register { error in
      queue.fail(error)
      writing.cancel()
    }
    let departure = connection.onClose {
      writing.cancel()
      queue.finish()
    }
    registrations.withLock { $0 = (registration, departure) }
  }

  deinit { writing.cancel() }
}
