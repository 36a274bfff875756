extension ServingContext {
  /// What `work` returns, unless the client leaves or the server's time is over before.
  ///
  /// - Parameter log: told why it was called off.
  /// - Throws: what `work` throws; 503 once the server has stopped; `CancellationError` once the client has gone.
  func whileAwaited<Value: Sendable>(
    _ context: ServerRequestContext, _ log: (String) -> Void, _ body: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    let failure = FailureBox()
    let work = Task { try await body() }
    let registration = try running.register { error in
      failure.set(error)
      work.cancel()
    }
    let departure = connections.connection(of: context.channel).onClose { work.cancel() }
    defer { withExtendedLifetime((registration, departure)) {} }
    do {
      return try await withTaskCancellationHandler {
        try await work.value
      } onCancel: {
        work.cancel()
      }
    } catch is CancellationError {
      log(failure.error?.code ?? "client_left")
      throw failure.error ?? CancellationError()
    }
  }
}
