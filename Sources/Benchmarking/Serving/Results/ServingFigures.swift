/// What was measured over a set of requests: all of a run, or one category. Encoded flat, with vLLM's keys.
public struct ServingFigures: Sendable, Equatable {
  /// Seconds from the first request until the last answer; the sum over categories if they ran one after another.
  public var duration: Double
  public var completed: Int
  public var failed: Int
  public var totalInputTokens: Int
  public var totalOutputTokens: Int
  /// Completed requests per second.
  public var requestThroughput: Double
  /// Completed requests per second that met every objective; `nil` without objectives.
  public var requestGoodput: Double?
  /// Output tokens per second.
  public var outputThroughput: Double
  /// Input and output tokens per second.
  public var totalTokenThroughput: Double
  /// Most output tokens that arrived in one second.
  public var maxOutputTokensPerSecond: Double
  /// Most requests that ran at one time.
  public var maxConcurrentRequests: Int
  /// Only those that have values.
  public var latencies: [ServingMetric: LatencySummary]
  /// `nil` if the server does not tell.
  public var speculation: SpeculationFigures?
  /// By kind and status.
  public var failures: [FailureCount]

  public init(
    duration: Double, completed: Int, failed: Int, totalInputTokens: Int, totalOutputTokens: Int,
    requestThroughput: Double, requestGoodput: Double?, outputThroughput: Double, totalTokenThroughput: Double,
    maxOutputTokensPerSecond: Double, maxConcurrentRequests: Int, latencies: [ServingMetric: LatencySummary],
    speculation: SpeculationFigures?, failures: [FailureCount]
  ) {
    self.duration = duration
    self.completed = completed
    self.failed = failed
    self.totalInputTokens = totalInputTokens
    self.totalOutputTokens = totalOutputTokens
    self.requestThroughput = requestThroughput
    self.requestGoodput = requestGoodput
    self.outputThroughput = outputThroughput
    self.totalTokenThroughput = totalTokenThroughput
    self.maxOutputTokensPerSecond = maxOutputTokensPerSecond
    self.maxConcurrentRequests = maxConcurrentRequests
    self.latencies = latencies
    self.speculation = speculation
    self.failures = failures
  }
}
