internal import Decoding
internal import Tensor

/// An engine's course over a workload, in predicted time.
///
/// The engine's own `Scheduler` decides what each pass holds, and a `SimulatedRunner` says what it takes. Prompts, batches
/// that drain at the end, windows cut short by the end of an answer, and preemptions are therefore part of the
/// prediction. A pure function of its inputs.
package struct ServingSimulation: Sendable {
  /// A request whose answer is known.
  package struct Request: Sendable {
    /// Tokens of the prompt.
    package var prompt: Int
    /// Tokens of the answer, and the most that it could have had.
    package var length, limit: Int
    /// What would be proposed; `nil` for plain decoding.
    package var trace: AcceptanceTrace?

    package init(prompt: Int, length: Int, limit: Int, trace: AcceptanceTrace? = nil) {
      (self.prompt, self.length, self.limit, self.trace) = (prompt, length, limit, trace)
    }
  }

  package struct Costs: Sendable {
    /// T(n).
    package var target: PassTimeModel
    /// d(n); `nil` for a proposer without a model.
    package var draft: PassTimeModel?
    /// Whether a pass of the draft gives a whole window, by a row for the known token and one for each proposal.
    package var draftsBlocks: Bool
    /// Everything else in a step.
    package var overhead: OverheadModel
    /// Seconds that a proposer without a model takes for one sequence.
    package var proposing: Double

    package init(
      target: PassTimeModel, draft: PassTimeModel?, draftsBlocks: Bool = false, overhead: OverheadModel,
      proposing: Double = 0
    ) {
      (self.target, self.draft, self.draftsBlocks) = (target, draft, draftsBlocks)
      (self.overhead, self.proposing) = (overhead, proposing)
    }
  }

  /// Bounds of the engine.
  package struct Limits: Sendable {
    /// Most rows of a pass (`max_num_batched_tokens`), and most with logits.
    package var rows, logitRows: Int
    /// Requests at one time.
    package var concurrency: Int
    /// KV blocks; `nil` for as many as are wanted.
    package var blocks: Int?

    package init(rows: Int, logitRows: Int, concurrency: Int, blocks: Int? = nil) {
      (self.rows, self.logitRows, self.concurrency, self.blocks) = (rows, logitRows, concurrency, blocks)
    }
  }

  /// What came of it.
  package struct Outcome: Sendable {
    /// From the first submission to the last token.
    package var seconds = 0.0
    package var tokens = 0
    /// Of each request.
    package var firstTokenSeconds: [Double] = []
    /// Mean seconds per token after the first, of each request that has one.
    package var perTokenSeconds: [Double] = []
    package var acceptance = PositionCounts()
    /// Seconds by what they went into.
    package var (targetSeconds, draftSeconds, otherSeconds) = (0.0, 0.0, 0.0)
    package var steps = 0
    /// Rows of all passes of the target, and of all passes of the draft.
    package var (targetRows, draftRows) = (0, 0)
  }

  private struct Progress {
    let request: Request
    let submitted: Double
    /// Tokens of the answer so far.
    var output = 0
    /// Positions that the draft has computed.
    var drafted = 0
    var firstToken = 0.0
    var known: Int { request.prompt + output }
  }

  private let runner: SimulatedRunner
  private let limits: Limits
  private let window: Int

  /// A simulation of a fixed window; 0 for plain decoding.
  package init(costs: Costs, limits: Limits, window: Int) {
    runner = SimulatedRunner(costs: costs, draftRows: limits.rows)
    (self.limits, self.window) = (limits, window)
  }

  /// Serves the requests in order, `limits.concurrency` at a time.
  package func run(_ requests: [Request]) -> Outcome {
    var outcome = Outcome()
    var scheduler = scheduler(for: requests)
    var progress: [RequestID: Progress] = [:]
    var next = 0
    /// Requests that were submitted while a step was under way: the engine sees them after it.
    var arriving = 0
    func admit(_ count: Int) {
      for _ in 0..<count where next < requests.count {
        let (id, request) = (RequestID(next), requests[next])
        progress[id] = Progress(request: request, submitted: outcome.seconds)
        scheduler.add(id, known: request.prompt, remaining: request.limit)
        next += 1
      }
    }
    admit(limits.concurrency)
    while !scheduler.isIdle {
      let shares = scheduler.schedule(window: { _ in window })
      if shares.isEmpty { break }
      let (proposed, drafting) = propose(for: shares, progress)
      let pass = runner.pass(shares, proposed: proposed)
      let emitted = zip(shares, proposed).map { share, proposed in
        commit(share, proposed: proposed, &progress[share.request], &scheduler, &outcome.acceptance)
      }
      outcome.add(pass, drafting, emitted: emitted.reduce(0, +), runner.costs.overhead)
      var ended = 0
      for (share, emitted) in zip(shares, emitted) where share.reachesEnd {
        guard var one = progress[share.request] else { continue }
        if emitted > 0, one.output == emitted {
          one.firstToken = outcome.seconds
          outcome.firstTokenSeconds.append(outcome.seconds - one.submitted)
        }
        progress[share.request] = one
        guard one.output >= one.request.length else { continue }
        if one.output > 1 {
          outcome.perTokenSeconds.append((outcome.seconds - one.firstToken) / Double(one.output - 1))
        }
        scheduler.remove(share.request)
        progress[share.request] = nil
        ended += 1
      }
      let isIdle = scheduler.isIdle
      admit(isIdle ? arriving + ended : arriving)
      arriving = isIdle ? 0 : ended
    }
    return outcome
  }

  private func scheduler(for requests: [Request]) -> Scheduler {
    let longest = requests.map { $0.prompt + max($0.limit, $0.length) }.max() ?? 1
    let each = longest / KVStorage.blockSize + 1
    return Scheduler(
      limits: Scheduler.Limits(
        rows: limits.rows, logitRows: limits.logitRows, sequences: limits.concurrency, positions: longest + 1),
      pool: BlockPool(
        capacity: min(limits.blocks ?? .max, each * limits.concurrency), blockSize: KVStorage.blockSize))
  }

  /// What is proposed for each share, and what that takes: nothing in a prompt's own pass.
  private func propose(
    for shares: [Scheduler.Share], _ progress: [RequestID: Progress]
  ) -> (proposed: [Int], work: SimulatedRunner.Work) {
    var proposed = Array(repeating: 0, count: shares.count)
    var asking: [SimulatedRunner.Asking] = []
    for (place, share) in shares.enumerated() {
      guard share.window > 0, let one = progress[share.request], one.output > 0, let trace = one.request.trace
      else { continue }
      proposed[place] = min(share.window, trace.offered[one.output])
      asking.append(.init(known: one.known, drafted: one.drafted, proposed: proposed[place]))
    }
    return (proposed, runner.propose(asking))
  }

  /// Moves a request on; returns the tokens that it grew by.
  private func commit(
    _ share: Scheduler.Share, proposed: Int, _ progress: inout Progress?, _ scheduler: inout Scheduler,
    _ acceptance: inout PositionCounts
  ) -> Int {
    guard share.reachesEnd, var one = progress else {
      scheduler.commit(share)
      return 0
    }
    let accepted = min(proposed, one.output > 0 ? one.request.trace?.matched[one.output] ?? 0 : 0)
    acceptance.record(proposed: proposed, accepted: accepted)
    let tokens = min(accepted + 1, one.request.length - one.output)
    // The last proposal is verified without the draft having computed it.
    if proposed > 0 { one.drafted = one.known + min(accepted, proposed - 1) }
    one.output += tokens
    progress = one
    scheduler.commit(share, accepted: tokens - 1, appended: tokens)
    return tokens
  }
}

extension ServingSimulation.Outcome {
  /// A step's passes and what is around them.
  fileprivate mutating func add(
    _ pass: SimulatedRunner.Work, _ drafting: SimulatedRunner.Work, emitted: Int, _ overhead: OverheadModel
  ) {
    let other = overhead.seconds(logitRows: pass.logitRows, tokens: emitted, drafted: drafting.logitRows)
    seconds += drafting.seconds + pass.seconds + other
    draftSeconds += drafting.seconds
    targetSeconds += pass.seconds
    otherSeconds += other
    steps += 1
    targetRows += pass.rows
    draftRows += drafting.rows
    tokens += emitted
  }
}
