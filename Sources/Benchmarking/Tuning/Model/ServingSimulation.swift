/// An engine's course over a workload, in predicted time.
///
/// It keeps to the engine's rules: what a pass may hold, who comes first, when a request asks for proposals, what the
/// draft has to read. Prompts, batches that drain at the end, and windows cut short by the end of an answer are
/// therefore part of the prediction. A pure function of its inputs.
package struct ServingSimulation: Sendable {
  /// A request whose answer is known.
  package struct Request: Sendable {
    /// Tokens of the prompt.
    package var prompt: Int
    /// Tokens of the answer.
    package var length: Int
    /// Most tokens that it could have had.
    package var limit: Int
    /// What would be proposed; `nil` for plain decoding.
    package var trace: AcceptanceTrace?

    /// A request.
    package init(prompt: Int, length: Int, limit: Int, trace: AcceptanceTrace? = nil) {
      self.prompt = prompt
      self.length = length
      self.limit = limit
      self.trace = trace
    }
  }

  /// What things cost.
  package struct Costs: Sendable {
    /// T(n).
    package var target: PassTimeModel
    /// d(n); `nil` for a proposer without a model.
    package var draft: PassTimeModel?
    /// Everything else in a step.
    package var overhead: OverheadModel
    /// Seconds that a proposer without a model takes for one text.
    package var proposing = 0.0

    /// Costs.
    package init(target: PassTimeModel, draft: PassTimeModel?, overhead: OverheadModel, proposing: Double = 0) {
      self.target = target
      self.draft = draft
      self.overhead = overhead
      self.proposing = proposing
    }
  }

  /// Bounds of a pass.
  package struct Limits: Sendable {
    /// Most rows (`max_num_batched_tokens`).
    package var rows: Int
    /// Most rows with logits.
    package var logitRows: Int
    /// Requests at one time.
    package var concurrency: Int

    /// Bounds.
    package init(rows: Int, logitRows: Int, concurrency: Int) {
      self.rows = rows
      self.logitRows = logitRows
      self.concurrency = concurrency
    }
  }

  /// What came of it.
  package struct Outcome: Sendable {
    /// From the first submission to the last token.
    package var seconds = 0.0
    /// Output tokens.
    package var tokens = 0
    /// Of each request.
    package var firstTokenSeconds: [Double] = []
    /// Mean seconds per token after the first, of each request that has one.
    package var perTokenSeconds: [Double] = []
    /// Proposals and acceptances.
    package var acceptance = PositionCounts()
    /// Seconds by what they went into.
    package var (targetSeconds, draftSeconds, otherSeconds) = (0.0, 0.0, 0.0)
    /// Steps of the engine.
    package var steps = 0
    /// Rows of all passes of the target, and of all passes of the draft.
    package var (targetRows, draftRows) = (0, 0)
  }

  private struct Running {
    let request: Request
    let submitted: Double
    var known: Int
    var computed = 0
    /// Tokens of the answer so far.
    var output = 0
    /// Positions that the draft has computed.
    var drafted = 0
    var firstToken = 0.0
    var pending: Int { known - computed }
  }

  private struct Share {
    let index: Int
    let rows: Int
    let reachesEnd: Bool
    let window: Int
    var proposed = 0
  }

  private let costs: Costs
  private let limits: Limits
  private let window: Int

  /// A simulation of a fixed window; 0 for plain decoding.
  package init(costs: Costs, limits: Limits, window: Int) {
    self.costs = costs
    self.limits = limits
    self.window = window
  }

  /// Serves the requests in order, `limits.concurrency` at a time.
  package func run(_ requests: [Request]) -> Outcome {
    var outcome = Outcome()
    var running: [Running] = []
    var next = 0
    /// Requests that were submitted while a step was under way: the engine sees them after it.
    var arriving = 0
    var now = 0.0
    func admit(_ count: Int) {
      for _ in 0..<count where next < requests.count {
        running.append(Running(request: requests[next], submitted: now, known: requests[next].prompt))
        next += 1
      }
    }
    admit(limits.concurrency)
    while !running.isEmpty {
      var shares = schedule(running)
      let drafting = propose(&shares, &running)
      let pass = targetPass(shares, running)
      var (emitted, ended) = (0, 0)
      var finished: [Int] = []
      var events: [(index: Int, tokens: Int)] = []
      for share in shares {
        let (tokens, isDone) = commit(share, &running[share.index], &outcome.acceptance)
        emitted += tokens
        events.append((share.index, tokens))
        if isDone {
          finished.append(share.index)
          ended += 1
        }
      }
      let other = costs.overhead.seconds(logitRows: pass.logitRows, tokens: emitted, drafted: drafting.logitRows)
      let target = costs.target.seconds(rows: pass.rows, logitRows: pass.logitRows, positions: pass.positions)
      now += drafting.seconds + target + other
      outcome.draftSeconds += drafting.seconds
      outcome.targetSeconds += target
      outcome.otherSeconds += other
      outcome.steps += 1
      outcome.targetRows += pass.rows
      outcome.draftRows += drafting.rows
      outcome.tokens += emitted
      for event in events where event.tokens > 0 && running[event.index].output == event.tokens {
        running[event.index].firstToken = now
        outcome.firstTokenSeconds.append(now - running[event.index].submitted)
      }
      for index in finished.sorted(by: >) {
        let done = running.remove(at: index)
        if done.output > 1 {
          outcome.perTokenSeconds.append((now - done.firstToken) / Double(done.output - 1))
        }
      }
      let isEmpty = running.isEmpty
      admit(isEmpty ? arriving + ended : arriving)
      arriving = isEmpty ? 0 : ended
    }
    outcome.seconds = now
    return outcome
  }

  /// Requests that decode come first, both kinds in order of admission.
  private func schedule(_ running: [Running]) -> [Share] {
    var (rows, logitRows) = (limits.rows, limits.logitRows)
    var shares: [Share] = []
    let order =
      running.indices.filter { running[$0].pending == 1 } + running.indices.filter { running[$0].pending != 1 }
    for index in order where rows > 0 && logitRows > 0 {
      let entry = running[index]
      let count = min(entry.pending, rows)
      let reachesEnd = count == entry.pending
      let logitCount = reachesEnd ? 1 : 0
      var wish = 0
      if reachesEnd {
        wish = max(0, min(window, rows - count, logitRows - logitCount, entry.request.limit - entry.output - 1))
      }
      rows -= count + wish
      logitRows -= logitCount + wish
      shares.append(Share(index: index, rows: count, reachesEnd: reachesEnd, window: wish))
    }
    return shares
  }

  /// Fills in what is proposed, and returns what that costs.
  private func propose(
    _ shares: inout [Share], _ running: inout [Running]
  ) -> (seconds: Double, rows: Int, logitRows: Int) {
    var asking: [Int] = []
    for place in shares.indices {
      let entry = running[shares[place].index]
      guard shares[place].window > 0, entry.output > 0, let trace = entry.request.trace else { continue }
      shares[place].proposed = min(shares[place].window, trace.offered[entry.output])
      asking.append(place)
    }
    guard let draft = costs.draft, !asking.isEmpty else {
      return (costs.proposing * Double(asking.count), 0, 0)
    }
    var (seconds, total, logits) = (0.0, 0, 0)
    // What the draft has not read of a text; long gaps are read in passes of their own.
    let room = max(1, limits.rows / asking.count)
    var (rows, positions) = (0, 0.0)
    for place in asking {
      let index = shares[place].index
      while running[index].known - running[index].drafted > room {
        let count = min(limits.rows, running[index].known - 1 - running[index].drafted)
        seconds += draft.seconds(
          rows: count, logitRows: 0, positions: Self.positions(rows: count, from: running[index].drafted))
        running[index].drafted += count
        total += count
      }
      let lag = running[index].known - running[index].drafted
      rows += lag
      positions += Self.positions(rows: lag, from: running[index].drafted)
    }
    for step in 0..<(asking.map { shares[$0].proposed }.max() ?? 0) {
      let drafting = asking.filter { shares[$0].proposed > step }
      if step > 0 {
        rows = drafting.count
        positions = drafting.reduce(0) { $0 + Double(running[shares[$1].index].known + step) }
      }
      seconds += draft.seconds(rows: rows, logitRows: drafting.count, positions: positions)
      total += rows
      logits += drafting.count
    }
    return (seconds, total, logits)
  }

  private func targetPass(_ shares: [Share], _ running: [Running]) -> (rows: Int, logitRows: Int, positions: Double) {
    var pass = (rows: 0, logitRows: 0, positions: 0.0)
    for share in shares {
      let rows = share.rows + share.proposed
      pass.rows += rows
      pass.logitRows += (share.reachesEnd ? 1 : 0) + share.proposed
      pass.positions += Self.positions(rows: rows, from: running[share.index].computed)
    }
    return pass
  }

  /// Moves a request on; returns the tokens that it grew by, and whether it has ended.
  private func commit(
    _ share: Share, _ entry: inout Running, _ acceptance: inout PositionCounts
  ) -> (tokens: Int, isDone: Bool) {
    guard share.reachesEnd else {
      entry.computed += share.rows
      return (0, false)
    }
    let accepted = min(share.proposed, entry.output > 0 ? entry.request.trace?.matched[entry.output] ?? 0 : 0)
    acceptance.record(proposed: share.proposed, accepted: accepted)
    let tokens = min(accepted + 1, entry.request.length - entry.output)
    // The last proposal is verified without the draft having computed it.
    if share.proposed > 0 { entry.drafted = entry.known + min(accepted, share.proposed - 1) }
    entry.computed += share.rows + accepted
    entry.known += accepted + 1
    entry.output += tokens
    return (tokens, entry.output >= entry.request.length)
  }

  /// Positions that `rows` rows from position `first` on look back at.
  private static func positions(rows: Int, from first: Int) -> Double {
    Double(rows) * (Double(first) + Double(rows + 1) / 2)
  }
}
