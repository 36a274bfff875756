/// What was measured over a set of requests: all of a run, or one category. Encoded flat, with vLLM's keys.
package struct ServingFigures: Sendable, Equatable {
  /// Seconds from the first request until the last answer; the sum over categories if they ran one after another.
  package var duration: Double
  package var completed, failed, totalInputTokens, totalOutputTokens: Int
  /// Completed requests per second.
  package var requestThroughput: Double
  /// Completed requests per second that met every objective; `nil` without objectives.
  package var requestGoodput: Double?
  /// Output tokens per second.
  package var outputThroughput: Double
  /// Input and output tokens per second.
  package var totalTokenThroughput: Double
  /// Most output tokens that arrived in one second.
  package var maxOutputTokensPerSecond: Double
  /// Most requests that ran at one time.
  package var maxConcurrentRequests: Int
  /// Only those that have values.
  package var latencies: [ServingMetric: LatencySummary]
  /// `nil` if the server does not tell.
  package var speculation: SpeculationFigures?
  /// Tokens that a step of the server brings, guessed from the times of events; see `StepEstimate`.
  package var tokensPerStepEstimate: Double?
  package var failures: [FailureCount]
}
