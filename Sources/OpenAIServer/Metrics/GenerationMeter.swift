internal import Decoding

/// Measures one answer as it comes.
struct GenerationMeter {
  private let metrics: ServerMetrics
  private var last: ContinuousClock.Instant?

  init(metrics: ServerMetrics) { self.metrics = metrics }

  /// A token has come.
  mutating func token() {
    let now = ContinuousClock.now
    if let last { metrics.observe(interTokenSeconds: (now - last) / .seconds(1)) }
    last = now
  }

  /// The answer has ended.
  func finish(_ summary: GenerationSummary) { metrics.observe(summary) }

  /// The answer was given up.
  func abort() { metrics.observeAbort() }
}
