import Inference
import Logging
import OpenAIServer

/// A server of the shipped pair, named `pair`, that does not listen yet.
package func pairServer(_ change: (inout ServerConfiguration) -> Void = { _ in }) throws -> InferenceServer {
  var engine = EngineConfiguration(model: Places.target)
  engine.speculation = try SpeculativeConfiguration(method: .draftModel, model: Places.draft, window: 4)
  engine.sequences = 4
  engine.maximumLength = 512
  engine.threads = 2
  return try server(engine, named: "pair") { configuration in
    configuration.speculationMethods = [.draftModel]
    change(&configuration)
  }
}

/// A server of the model in a directory, for what it was made for, that does not listen yet.
package func modelServer(of directory: String, named name: String) throws -> InferenceServer {
  var engine = EngineConfiguration(model: directory)
  engine.task = nil
  (engine.sequences, engine.threads) = (4, 2)
  return try server(engine, named: name) { _ in }
}

private func server(
  _ engine: EngineConfiguration, named name: String, _ change: (inout ServerConfiguration) -> Void
) throws -> InferenceServer {
  var configuration = ServerConfiguration(servedModelName: name)
  configuration.port = 0
  configuration.concurrentRequests = 4
  change(&configuration)
  var logger = Logger(label: "test")
  logger.logLevel = .critical
  return try InferenceServer(model: try SpeculativeEngine(engine), configuration: configuration, logger: logger)
}

/// Serves on a free port of this machine while `body`, which is told the port, runs.
package func withPairServer(
  _ change: (inout ServerConfiguration) -> Void = { _ in }, _ body: @Sendable (Int) async throws -> Void
) async throws {
  let server = try pairServer(change)
  let (ports, announcement) = AsyncStream.makeStream(of: Int.self)
  try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask {
      defer { announcement.finish() }
      try await server.run(handlesSignals: false) { announcement.yield($0) }
    }
    for await port in ports.prefix(1) { try await body(port) }
    group.cancelAll()
    try await group.waitForAll()
  }
}
