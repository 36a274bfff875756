package import Decoding
package import Tokenization

/// What an engine made of a list of requests.
package struct EngineRun: Sendable {
  /// From the first submission to the last token.
  package private(set) var seconds = 0.0
  /// By request.
  package private(set) var outputs: [[TokenID]]
  /// Of the requests in the order in which they ended; time per output token of those that have more than one.
  package private(set) var (firstTokenSeconds, perTokenSeconds): ([Double], [Double]) = ([], [])
  package private(set) var speculation = SpeculationCounts()
  package private(set) var steps: [StepSample] = []

  package var tokens: Int { outputs.reduce(0) { $0 + $1.count } }
  /// Times that a pass decided how a sequence goes on.
  package var decisions: Int { steps.reduce(0) { $0 + $1.texts } }
  package var tokensPerSecond: Double { seconds > 0 ? Double(tokens) / seconds : 0 }

  /// Serves `requests` in order, `concurrency` at a time.
  ///
  /// - Parameter log: of the engine's runners.
  /// - Throws: `RequestError` for a request that does not fit, `MeasurementFailure` when the engine gives up on one.
  package init(_ requests: [GenerationRequest], on engine: Engine, concurrency: Int, log: StepLog) async throws {
    outputs = Array(repeating: [], count: requests.count)
    log.begin()
    let started = ContinuousClock.now
    try await engine.generate(requests, atATime: concurrency) { index, stream in
      let (tokens, summary) = try await Self.collect(stream)
      return (index, tokens, summary)
    } receive: { index, tokens, summary in
      outputs[index] = tokens
      if let summary { add(summary) }
    }
    seconds = (ContinuousClock.now - started).inSeconds
    steps = log.steps
  }

  /// Takes in a run that came after this one.
  mutating func append(_ other: EngineRun) {
    seconds += other.seconds
    outputs += other.outputs
    firstTokenSeconds += other.firstTokenSeconds
    perTokenSeconds += other.perTokenSeconds
    speculation.add(other.speculation)
    steps += other.steps
  }

  private mutating func add(_ summary: GenerationSummary) {
    speculation.add(summary.speculation)
    firstTokenSeconds.append(summary.timing.firstTokenSeconds)
    if let seconds = summary.timing.secondsPerOutputToken(summary.outputTokens) { perTokenSeconds.append(seconds) }
  }

  private static func collect(_ stream: AsyncStream<GenerationEvent>) async throws -> ([TokenID], GenerationSummary?) {
    var (tokens, last): ([TokenID], GenerationSummary?) = ([], nil)
    for await event in stream {
      switch event {
      case .token(let token): tokens.append(token.id)
      case .finished(let summary):
        last = summary
        if case .failed(let reason) = summary.reason { throw MeasurementFailure(reason) }
      }
    }
    return (tokens, last)
  }
}

/// A measurement cannot go on.
package struct MeasurementFailure: Error, CustomStringConvertible {
  /// One sentence.
  package let description: String

  package init(_ description: String) { self.description = description }
}
