internal import Decoding
internal import Inference
internal import Measurement
internal import Tokenization

/// For every proposer and prompt, what it would offer at every position.
struct Traces: Sendable {
  /// The proposers as candidates; their windows are the largest.
  let candidates: [TuningResult.Candidate]
  /// By candidate, then by prompt.
  let traces: [[AcceptanceTrace]]
  /// Seconds that a proposer without a model takes for one sequence in a step; 0 for drafts.
  let proposing: [Double]
  private let lengths: [Int]

  /// Drafts' traces from what calibration found, free proposers' by asking them.
  ///
  /// - Parameter methods: how each draft proposes.
  init(
    _ plan: Tuner.Plan, methods: [SpeculationMethod], _ outputs: [[TokenID]], _ outcomes: [[DraftOutcomes]]
  ) throws {
    let window = plan.largestWindow
    var (candidates, traces, proposing): ([TuningResult.Candidate], [[AcceptanceTrace]], [Double]) = ([], [], [])
    for ((name, method), outcomes) in zip(zip(plan.drafts, methods), outcomes) {
      candidates.append(TuningResult.Candidate(method: method, draft: name, window: window))
      traces.append(
        outputs.indices.map {
          AcceptanceTrace(outcomes[$0], length: outputs[$0].count, window: window, seed: UInt64($0))
        })
      proposing.append(0)
    }
    func ask(_ method: SpeculationMethod, _ proposer: some Proposer) throws {
      let started = ContinuousClock.now
      let asked = try outputs.indices.map {
        try AcceptanceTrace(
          asking: proposer, prompt: plan.prompts[$0].tokens, output: outputs[$0], window: window, request: RequestID($0)
        )
      }
      candidates.append(TuningResult.Candidate(method: method, window: window))
      traces.append(asked)
      let texts = outputs.reduce(0) { $0 + max($1.count - 1, 0) }
      proposing.append((ContinuousClock.now - started).inSeconds / Double(max(texts, 1)))
    }
    if plan.triesLookup { try ask(.ngram, TuningEngine.lookup) }
    if plan.triesSuffix { try ask(.suffix, TuningEngine.suffix) }
    (self.candidates, self.traces, self.proposing) = (candidates, traces, proposing)
    lengths = outputs.map(\.count)
  }

  /// Requests as the simulation serves them.
  func requests(_ plan: Tuner.Plan, candidate: Int?, count: Int) -> [ServingSimulation.Request] {
    (0..<count).map { index in
      let place = index % lengths.count
      return ServingSimulation.Request(
        prompt: plan.prompts[place].tokens.count, length: lengths[place], limit: plan.prompts[place].outputTokens,
        trace: candidate.map { traces[$0][place] })
    }
  }

  /// Acceptance by position with the largest window: of the whole workload, and of each kind of prompt.
  func acceptance(_ plan: Tuner.Plan) -> [TuningResult.Acceptance] {
    var categories: [String] = []
    for prompt in plan.prompts where !categories.contains(prompt.category) { categories.append(prompt.category) }
    return candidates.indices.flatMap { index in
      ([nil] + (categories.count > 1 ? categories.map(Optional.some) : [])).compactMap { category in
        var counts = PositionCounts()
        for place in lengths.indices where category == nil || plan.prompts[place].category == category {
          counts.replay(traces[index][place], limit: plan.prompts[place].outputTokens, window: plan.largestWindow)
        }
        guard counts.verifications > 0 else { return nil }
        let conditional = counts.conditional
        return TuningResult.Acceptance(
          candidate: candidates[index], category: category, byPosition: conditional,
          counts: Array(counts.reached.prefix(conditional.count)), meanLength: counts.meanLength)
      }
    }
  }
}

/// Predicts every candidate at one concurrency.
struct ConcurrencyPredictor: Sendable {
  let plan: Tuner.Plan
  let limits: ServingSimulation.Limits
  let traces: Traces
  let costs: CostsByProposer
  let concurrency, count: Int

  /// The prediction for a candidate.
  ///
  /// - Parameter plain: that for plain decoding; `nil` when this is it.
  func entry(_ candidate: TuningResult.Candidate, plain: TuningResult.Entry?) -> TuningResult.Entry {
    let index = traces.candidates.firstIndex { $0.method == candidate.method && $0.draft == candidate.draft }
    let draft = candidate.draft.flatMap { plan.drafts.firstIndex(of: $0) }
    var limits = limits
    limits.concurrency = concurrency
    let shared = candidate.window == 0 ? costs.plain : (target: costs.target, overhead: costs.overhead)
    let simulation = ServingSimulation(
      costs: ServingSimulation.Costs(
        target: shared.target, draft: draft.flatMap { costs.drafts[$0] },
        draftsBlocks: candidate.method == .dflash, overhead: shared.overhead,
        proposing: index.map { traces.proposing[$0] } ?? 0),
      limits: limits, window: candidate.window)
    let outcome = simulation.run(traces.requests(plan, candidate: index, count: count))
    var entry = TuningResult.Entry(candidate: candidate, concurrency: concurrency)
    let performance = TuningResult.Performance(
      tokens: outcome.tokens, seconds: outcome.seconds, firstToken: outcome.firstTokenSeconds,
      perToken: outcome.perTokenSeconds)
    entry.predicted = performance
    entry.predictedSpeedup = plain.flatMap(\.predicted).map { performance.tokensPerSecond / $0.tokensPerSecond } ?? 1
    if candidate.window > 0 {
      entry.meanAcceptanceLength = outcome.acceptance.meanLength
      entry.breakEvenLength = breakEvenLength(candidate, draft: draft, index: index)
    }
    return entry
  }

  /// Tokens per verification at which a step with proposals yields as much per second as one without: the ratio of what
  /// the steps take.
  private func breakEvenLength(_ candidate: TuningResult.Candidate, draft: Int?, index: Int?) -> Double {
    let window = candidate.window
    let lengths = plan.prompts.map { Double($0.tokens.count + $0.outputTokens / 2) }
    let context = lengths.reduce(0, +) / Double(lengths.count)
    func step(rows: Int, emitted: Int, drafted: Int) -> Double {
      costs.target.seconds(rows: rows, logitRows: rows, positions: Double(rows) * context)
        + costs.overhead.seconds(logitRows: rows, tokens: emitted, drafted: drafted)
    }
    var seconds = step(
      rows: concurrency * (window + 1), emitted: concurrency, drafted: draft == nil ? 0 : concurrency * window)
    if let draft, let times = costs.drafts[draft] {
      // A block is one pass, tokens one by one are as many passes.
      let (passes, rows) = candidate.method == .dflash ? (1, concurrency * (window + 1)) : (window, concurrency)
      seconds +=
        Double(passes) * times.seconds(rows: rows, logitRows: rows, positions: Double(rows) * context)
    } else if let index {
      seconds += traces.proposing[index] * Double(concurrency)
    }
    return seconds / step(rows: concurrency, emitted: concurrency, drafted: 0)
  }
}
