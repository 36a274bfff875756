/// What an engine is doing, and what it has done since it started.
public struct EngineStatistics: Sendable, Equatable {
  /// Requests that hold KV blocks.
  public internal(set) var running = 0
  /// Requests that wait for admission.
  public internal(set) var waiting = 0
  /// Share of the KV blocks in use, 0 to 1.
  public internal(set) var cacheUsage: Double = 0
  /// How often a request had to give up its KV blocks.
  public internal(set) var preemptions = 0
  /// Prompt tokens of requests that reached their first token.
  public internal(set) var promptTokens = 0
  /// Tokens that admitted requests knew, looked up in the KV cache.
  public internal(set) var prefixQueries = 0
  /// Of these, those that were there.
  public internal(set) var prefixHits = 0
  /// Answers that were decoded a second time without speculation.
  public internal(set) var audited = 0
  /// Of these, those that differed.
  public internal(set) var auditMismatches = 0
  /// Tokens generated.
  public internal(set) var outputTokens = 0
  /// How speculation went.
  public internal(set) var speculation = SpeculationCounts()

  /// Nothing done yet.
  public init() {}
}
