internal import NIOPosix
internal import Tokenization

/// Does what requests cause before and after the engine: reading JSON, templates, tokens, schemas, answers' text.
///
/// All of it runs on a few threads of its own. Those that serve connections are never kept from it, so that `/health`
/// answers whatever is asked for at the time. Work has a budget and ends with its client.
final class RequestWork: Sendable {
  private let threads: NIOThreadPool
  private let connections: ConnectionTable
  private let running: RunningRequests

  init(threadCount: Int, connections: ConnectionTable, running: RunningRequests) {
    threads = NIOThreadPool(numberOfThreads: threadCount)
    threads.start()
    self.connections = connections
    self.running = running
  }

  deinit { threads.shutdownGracefully { _ in } }

  /// What `body` returns.
  ///
  /// - Parameters:
  ///   - context: the request that asks for it.
  ///   - isNew: whether the request has only come: once the server stops, it is refused.
  ///   - steps: the work's budget.
  /// - Throws: what `body` throws; 503 once the server stops; `CancellationError` once the client has gone.
  func run<Value: Sendable>(
    for context: ServerRequestContext, isNew: Bool = true, steps: Int = .max,
    _ body: @escaping @Sendable (WorkBudget) throws -> Value
  ) async throws -> Value {
    let (budget, failure) = (WorkBudget(steps: steps), FailureBox())
    let registration = try running.register(isNew: isNew) { error in
      failure.set(error)
      budget.cancel()
    }
    let departure = connections.connection(of: context.channel).onClose { budget.cancel() }
    defer { withExtendedLifetime((registration, departure)) {} }
    let result = await withTaskCancellationHandler {
      await self.outcome(budget, body)
    } onCancel: {
      budget.cancel()
    }
    // What work that was called off came to is no answer.
    if budget.isCancelled { throw failure.error ?? CancellationError() }
    return try result.get()
  }

  private func outcome<Value: Sendable>(
    _ budget: WorkBudget, _ body: @escaping @Sendable (WorkBudget) throws -> Value
  ) async -> Result<Value, any Error> {
    do {
      return .success(
        try await threads.runIfActive {
          guard !budget.isCancelled else { throw CancellationError() }
          return try body(budget)
        })
    } catch { return .failure(error) }
  }
}
