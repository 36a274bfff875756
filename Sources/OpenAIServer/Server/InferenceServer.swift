internal import ChatTemplates
internal import Foundation
internal import HTTPTypes
package import Hummingbird
internal import HummingbirdCore
package import Inference
package import Logging
internal import NIOCore
internal import ServiceLifecycle
internal import UnixSignals

/// Why the server cannot listen.
package struct ListeningError: Error, Sendable, CustomStringConvertible {
  /// One sentence: the address, what is wrong with it, what to do.
  package let description: String

  init(_ error: IOError, host: String, port: Int) {
    let reason =
      switch error.errnoCode {
      case EADDRINUSE: "the port is in use by another program; expected a free one with --port, or 0 for any"
      case EACCES: "the system does not allow it; expected a port from 1024 up, or rights to lower ones"
      case EADDRNOTAVAIL: "this machine does not have the address; expected one of its own with --host"
      default: "\(error)"
      }
    description = "cannot serve on \(host):\(port): \(reason)"
  }
}

/// The HTTP server around an engine: OpenAI's API, with vLLM's extensions.
///
/// ```swift
/// let server = try InferenceServer(model: model, configuration: .init(servedModelName: "qwen"), logger: logger)
/// try await server.run()
/// ```
package struct InferenceServer: Sendable {
  private let serving: ServingContext

  /// A server that is not listening yet.
  ///
  /// - Throws: `ChatTemplateError` when the configuration's chat template does not parse.
  package init(model: SpeculativeEngine, configuration: ServerConfiguration, logger: Logger) throws {
    serving = try ServingContext(model: model, configuration: configuration, logger: logger)
  }

  /// Serves until SIGTERM or SIGINT, or until the task is cancelled; then stops accepting, lets running requests finish
  /// for as long as the configuration says, and returns. A second signal ends the process at once.
  ///
  /// - Parameters:
  ///   - handlesSignals: whether SIGTERM and SIGINT are caught.
  ///   - onListening: called with the port once connections are accepted.
  /// - Throws: `ListeningError` when the address cannot be bound.
  package func run(
    handlesSignals: Bool = true, onListening: @escaping @Sendable (Int) async -> Void = { _ in }
  ) async throws {
    let configuration = serving.configuration
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [
          ServiceGroupConfiguration.ServiceConfiguration(
            service: application(onListening: onListening), successTerminationBehavior: .gracefullyShutdownGroup),
          ServiceGroupConfiguration.ServiceConfiguration(
            service: DrainTimer(
              running: serving.running, connections: serving.connections, timeout: configuration.shutdownTimeout,
              logger: serving.logger)),
        ], gracefulShutdownSignals: handlesSignals ? [.sigterm, .sigint] : [], logger: quietLogger))
    // Answers that run on have the time limit; what comes after them has a few seconds more.
    let watch = handlesSignals ? SignalWatch(timeout: configuration.shutdownTimeout + .seconds(5)) : nil
    defer { withExtendedLifetime(watch) {} }
    do {
      try await withTaskCancellationHandler {
        try await group.run()
      } onCancel: {
        Task { await group.triggerGracefulShutdown() }
      }
    } catch let error as IOError {
      throw ListeningError(error, host: configuration.host, port: configuration.port)
    }
  }
  /// What `run` serves. Tests send requests to its router, without a socket.
  package var application: some ApplicationProtocol { application { _ in } }

  private func application(onListening: @escaping @Sendable (Int) async -> Void) -> some ApplicationProtocol {
    let configuration = serving.configuration
    return Application(
      router: ServerRoutes(serving: serving).router(),
      server: .http1(
        configuration: .init(
          additionalChannelHandlers: [ClientDeparture(maximumBodyBytes: configuration.maximumBodyBytes)],
          idleTimeout: TimeAmount(configuration.idleTimeout),
          httpDecoderConfiguration: .init(
            maxHeaderFieldSize: configuration.maximumHeaderBytes, maxHeaderListSize: configuration.maximumHeaderBytes,
            maxHeaderFieldCount: 128))),
      configuration: ApplicationConfiguration(
        address: .hostname(configuration.host, port: configuration.port), serverName: nil, backlog: 512,
        availableConnectionsDelegate: MaximumAvailableConnections(
          configuration.maximumConnections, logger: quietLogger)),
      onServerRunning: { channel in await onListening(channel.localAddress?.port ?? configuration.port) },
      logger: quietLogger)
  }

  /// The logger of the framework, whose every connection is not worth a line.
  private var quietLogger: Logger {
    var quiet = serving.logger
    quiet.logLevel = max(quiet.logLevel, .warning)
    return quiet
  }
}
