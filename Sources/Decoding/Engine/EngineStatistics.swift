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
  /// Steps taken.
  public internal(set) var steps = 0
  /// Tokens of each step, of prompts and of answers; without rejected proposals.
  public internal(set) var tokensPerStep = Histogram(bounds: [
    1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384,
  ])
  /// Seconds of these steps.
  public internal(set) var stepSeconds = 0.0
  /// Seconds of each step outside of passes of the target and of drafts: messages, scheduling, proposals without a
  /// model, sampling, text, events.
  public internal(set) var overheadSeconds = Histogram(bounds: overheadBounds)

  /// From 10 µs to 10 ms, ten bounds a decade.
  private static let overheadBounds: [Double] = [
    1, 1.25, 1.6, 2, 2.5, 3.2, 4, 5, 6.3, 8, 10, 12.5, 16, 20, 25, 32, 40, 50, 63, 80, 100, 125, 160, 200, 250, 320,
    400, 500, 630, 800, 1000,
  ].map { $0 / 1e5 }

  /// How speculation went.
  public internal(set) var speculation = SpeculationCounts()

  /// Nothing done yet.
  public init() {}
}
