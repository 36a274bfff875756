internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization
package import Tokenization

/// Sends requests to an endpoint as a schedule and a limit on concurrency say, and times the answers at the socket.
///
/// Open and closed loop are one thing: requests join a queue when they are due (all at once without a rate), and leave
/// it when fewer than the limit are running. The queue lives on the event loops that read the sockets: the request after
/// a finished one leaves without a detour through other threads. What answers mean is worked out on other threads.
package final class LoadGenerator: Sendable {
  private let client: ServingClient
  private let tokenizer: Tokenizer?
  private let origin = NIODeadline.now().uptimeNanoseconds
  private let stopping = Mutex(Stopping())

  private struct Stopping {
    var isStopped = false
    var hasBegun = false
    var current: Dispatcher?
  }

  /// - Parameters:
  ///   - client: whose connections are used.
  ///   - tokenizer: counts tokens where answers do not.
  package init(client: ServingClient, tokenizer: Tokenizer? = nil) {
    self.client = client
    self.tokenizer = tokenizer
  }

  /// Ends the current run and lets none begin: Ctrl-C.
  package func stop() {
    let current = stopping.withLock { state in
      state.isStopped = true
      return state.current
    }
    current?.stop()
  }

  /// Whether `stop()` was called.
  package var isStopped: Bool { stopping.withLock { $0.isStopped } }

  /// Whether any requests have been sent.
  package var hasBegun: Bool { stopping.withLock { $0.hasBegun } }

  /// Sends `requests`, and returns when all have been answered, have failed or were stopped.
  ///
  /// - Parameters:
  ///   - maximumConcurrency: most requests at one time; `nil` for no limit.
  ///   - onProgress: called as answers end.
  /// - Throws: `RequestFailure` if the endpoint's URL is none.
  package func run(
    _ requests: [WorkloadRequest], on endpoint: ServingEndpoint, arrivals: ArrivalSchedule = ArrivalSchedule(),
    maximumConcurrency: Int? = nil, onProgress: (LoadProgress) -> Void = { _ in }
  ) async throws -> LoadRun {
    let prepared = try requests.map {
      try client.prepare(.POST, endpoint.path, endpoint.body(for: $0), of: endpoint)
    }
    let (answers, continuation) = AsyncStream.makeStream(of: Dispatcher.Answer.self)
    let dispatcher = Dispatcher(
      client: client, requests: prepared, due: arrivals.times(requests.count),
      limit: maximumConcurrency ?? requests.count, answers: continuation)
    let mayStart = stopping.withLock { state in
      state.hasBegun = true
      if !state.isStopped { state.current = dispatcher }
      return !state.isStopped
    }
    defer { stopping.withLock { $0.current = nil } }
    var run = LoadRun()
    run.unfinished = requests.count
    guard mayStart, !requests.isEmpty else { return run }

    let cpuBefore = ProcessTime.seconds
    let started = NIODeadline.now().uptimeNanoseconds
    var ended = started
    dispatcher.start()
    let decoder = AnswerDecoder(origin: origin, tokenizer: tokenizer)
    var failed = 0
    for await answer in answers {
      if answer.raw.failure?.kind == .cancelled { continue }
      let record = decoder.record(
        answer.raw, of: requests[answer.index], index: answer.index, arrival: answer.arrival)
      run.records.append(record)
      ended = max(ended, answer.raw.end)
      if !record.isComplete { failed += 1 }
      onProgress(
        LoadProgress(
          finished: run.records.count, failed: failed, total: requests.count, pieces: dispatcher.pieces))
    }
    run.records.sort { $0.index < $1.index }
    run.unfinished = requests.count - run.records.count
    run.duration = Double((isStopped ? NIODeadline.now().uptimeNanoseconds : ended) - started) / 1e9
    run.cpuSeconds = ProcessTime.seconds - cpuBefore
    return run
  }
}
