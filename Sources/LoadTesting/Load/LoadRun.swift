/// What came of sending a set of requests once.
package struct LoadRun: Sendable {
  /// In the order of the requests; those that were stopped or never sent are missing.
  package var records: [RequestRecord] = []
  /// From the first request's arrival until the last answer's end, in seconds.
  package var duration = 0.0
  /// Requests that were stopped on the way, or never sent.
  package var unfinished = 0
  /// Processor time of this process meanwhile, in seconds.
  package var cpuSeconds = 0.0

  package init() {}
}

/// How far a run is, for a progress bar.
package struct LoadProgress: Sendable {
  package let finished, failed, total: Int
  /// Pieces of answers that have arrived.
  package let pieces: Int
}
