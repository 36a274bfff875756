internal import Logging
internal import ServiceLifecycle

/// After the order to stop: waits for running requests, ends those that take too long, and hangs up on connections that
/// are still open.
struct DrainTimer: Service {
  let running: RunningRequests
  let connections: ConnectionTable
  let timeout: Duration
  let logger: Logger

  func run() async throws {
    try? await gracefulShutdown()
    logger.info("stopping", metadata: ["running_requests": "\(running.count)", "timeout": "\(timeout)"])
    running.refuseNewOnes()
    let deadline = ContinuousClock.now + timeout
    // Between reading a request and answering it nothing of it is registered for a moment.
    var quietLooks = 0
    while quietLooks < 3, ContinuousClock.now < deadline {
      quietLooks = running.count == 0 ? quietLooks + 1 : 0
      try? await Task.sleep(for: .milliseconds(20))
    }
    if running.count > 0 {
      logger.warning("running requests did not finish in time", metadata: ["running_requests": "\(running.count)"])
      running.endAll(because: APIError.shuttingDown)
      let lastWords = ContinuousClock.now + .seconds(1)
      while running.count > 0, ContinuousClock.now < lastWords { try? await Task.sleep(for: .milliseconds(20)) }
    }
    connections.closeIdle(after: .milliseconds(200))
  }
}
