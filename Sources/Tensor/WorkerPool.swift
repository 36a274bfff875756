internal import CForetokenKernels
internal import Dispatch
internal import Foundation
internal import Synchronization

/// Threads that work on one thing together: the caller is worker 0, and `run` returns when all of it is done.
///
/// Work is cut into parts, and the caller waits for parts, not for threads: a worker that has not begun when the last
/// part is taken is passed over, and looks for a newer job when it comes to run. A forward pass is hundreds of short
/// steps, so idle workers spin for a moment before they go to sleep.
package final class WorkerPool: Sendable {
  /// Number of workers, the caller included.
  package let threadCount: Int
  private let state: WorkerState
  /// Where the workers run; `nil` for wherever the system likes.
  package let placement: WorkerPlacement?

  /// Most threads of one pool.
  package static let mostThreads = 512

  /// One per physical core that this process may use, at most the processor time that its control group grants.
  package static var defaultThreadCount: Int { ProcessorShare.current.threads }

  /// Starts `threadCount - 1` threads.
  ///
  /// - Parameter share: the processors that they may use.
  package init(threadCount: Int, affinity: CPUAffinity = .none, share: ProcessorShare = .current) {
    precondition(threadCount >= 1)
    self.threadCount = threadCount
    let placement = affinity == .none ? nil : WorkerPlacement(threadCount: threadCount, on: share)
    self.placement = placement
    let state = WorkerState(workers: threadCount)
    self.state = state
    for index in 1..<threadCount {
      let thread = Thread {
        placement?.bind(worker: index)
        state.work(as: index)
      }
      thread.name = "foretoken.worker.\(index)"
      thread.start()
    }
  }

  deinit { state.close() }

  /// Calls `body` once on every worker, with the worker's number: the one kind of work that waits for every thread.
  package func run(_ body: @Sendable (Int) -> Void) {
    guard threadCount > 1 else { return body(0) }
    run(WorkerJob(count: threadCount, ownParts: threadCount, isBound: true)) { worker, _ in body(worker) }
  }

  /// Calls `body` with as many consecutive shares of `0..<count` as there are workers.
  package func run(over count: Int, _ body: @Sendable (Range<Int>) -> Void) {
    let shares = min(threadCount, count)
    guard shares > 1 else {
      if count > 0 { body(0..<count) }
      return
    }
    run(WorkerJob(count: shares, ownParts: shares)) { _, part in
      for index in part { body(count * index / shares..<count * (index + 1) / shares) }
    }
  }

  /// Calls `body` with parts of `0..<count` until all are done. Every worker begins with a part of its own; then it
  /// takes a new one when it is through with its last, so that a worker that is held up does not hold up the others.
  /// Parts get smaller towards the end.
  ///
  /// - Parameters:
  ///   - unit: parts begin at multiples of it.
  ///   - upcoming: memory of the next such work, which workers fetch while they wait.
  package func run(
    claiming count: Int, inMultiplesOf unit: Int, upcoming: Upcoming? = nil, _ body: @Sendable (Range<Int>) -> Void
  ) {
    guard threadCount > 1, count > unit else {
      if count > 0 { body(0..<count) }
      return
    }
    let job = WorkerJob(claiming: count, inMultiplesOf: unit, workers: threadCount)
    state.announce(upcoming, workers: threadCount)
    run(job) { _, part in body(part) }
  }

  /// Memory that will be read by `run(claiming:inMultiplesOf:upcoming:_:)` soon.
  package struct Upcoming: Sendable {
    let address: UInt
    let bytesPerUnit, count, unit: Int

    /// `count` units of work, of which parts begin at multiples of `unit`, on memory from `address` on.
    package init(address: UInt, bytesPerUnit: Int, count: Int, unit: Int) {
      (self.address, self.bytesPerUnit, self.count, self.unit) = (address, bytesPerUnit, count, unit)
    }

    /// Bytes from one worker's first part to the next one's.
    func stride(workers: Int) -> Int {
      WorkerJob(claiming: count, inMultiplesOf: unit, workers: workers).ownPartLength * bytesPerUnit
    }
  }

  /// Calls `body` with a worker's number and each index below `count`; a worker takes an index when it is free.
  ///
  /// - Parameter onCaller: whether the work is too little to tell other threads of it.
  package func runEach(_ count: Int, onCaller: Bool = false, _ body: @Sendable (Int, Int) -> Void) {
    guard threadCount > 1, count > 1, !onCaller else {
      for index in 0..<count { body(0, index) }
      return
    }
    run(WorkerJob(count: count, ownParts: 0)) { worker, part in
      for index in part { body(worker, index) }
    }
  }

  private func run(_ job: WorkerJob, _ body: @Sendable (Int, Range<Int>) -> Void) {
    withoutActuallyEscaping(body) { body in
      let round = state.open(job, body)
      state.takeParts(of: round, as: 0)
      var patience = state.callerPatience
      var fetch = state.fetch(by: 0)
      while !state.isDone(job) {
        if !fetch.step() {
          patience.pause()
          if patience.isSpent { state.sleepUntilDone(job) }
        }
      }
      state.callerPatience = patience
      state.dropBody()
    }
  }
}

/// How a piece of work is cut into parts.
///
/// The first `ownParts` parts are as long as each other and belong to the workers of their numbers; what is left is
/// claimed from its start on, in shares of half of what remains. A worker that has nothing left to claim takes own
/// parts of those that have not begun.
struct WorkerJob: Sendable, Equatable {
  /// Number of items.
  let count: Int
  /// Parts begin at multiples of it.
  let unit: Int
  /// Workers that have a part of their own.
  let ownParts: Int
  /// Items of such a part; the last one may have fewer.
  let ownPartLength: Int
  /// How many shares a claim divides the remainder into; 0 for claims of one unit each.
  let divisor: Int
  /// Whether own parts are done by nobody else.
  let isBound: Bool

  init(count: Int, unit: Int, ownParts: Int, ownPartLength: Int, divisor: Int, isBound: Bool) {
    (self.count, self.unit, self.ownParts) = (count, unit, ownParts)
    (self.ownPartLength, self.divisor, self.isBound) = (ownPartLength, divisor, isBound)
  }

  /// Items one by one, the first `ownParts` of them one for each worker.
  init(count: Int, ownParts: Int, isBound: Bool = false) {
    self.init(count: count, unit: 1, ownParts: ownParts, ownPartLength: 1, divisor: 0, isBound: isBound)
  }

  /// Own parts of half of the work, and claims of what is left of the other half.
  init(claiming count: Int, inMultiplesOf unit: Int, workers: Int) {
    let length = max(unit, count / (2 * workers) / unit * unit)
    self.init(
      count: count, unit: unit, ownParts: min(workers, (count + length - 1) / length), ownPartLength: length,
      divisor: 2 * workers, isBound: false)
  }

  /// The part that worker `index` begins with.
  func ownPart(_ index: Int) -> Range<Int> {
    min(index * ownPartLength, count)..<min((index + 1) * ownPartLength, count)
  }

  /// Where the part begins that is claimed first.
  var firstClaim: Int { min(ownParts * ownPartLength, count) }

  /// The part that a claim takes when `first` is where the rest begins.
  func claim(from first: Int) -> Range<Int>? {
    guard first < count else { return nil }
    let share = divisor == 0 ? unit : max(unit, (count - first) / divisor / unit * unit)
    return first..<min(first + share, count)
  }

  /// Most workers that can find something to do.
  var mostWorkers: Int { ownParts + (count - firstClaim + unit - 1) / unit }
}

/// Waiting without sleep: at first for this thread's own use of the core, then for whoever else wants it, as the
/// thread that is waited for may.
///
/// A thread that gives its core away and does not get it back at once has met another that wants it. Sleeping is better
/// then than trying again and again, as who sleeps is let in at once when it is woken; and so it is in the waits that
/// follow.
struct Patience {
  private var pauses = 0
  /// Waits that are taken for contended without trying.
  private(set) var contendedWaits = 0
  private static let pausesAlone = 1_000
  private static let pausesContended = 250
  private static let mostPauses = 20_000
  private static let contendedWaitsAfterYield = 50
  /// Longer than giving the core away takes when nobody wants it.
  private static let longYield = Duration.microseconds(50)

  init(contendedWaits: Int = 0) { self.contendedWaits = contendedWaits }

  /// Whether the thread should sleep now.
  var isSpent: Bool {
    contendedWaits > 0 ? pauses >= Self.pausesContended : pauses >= Self.mostPauses
  }

  /// A new wait begins.
  mutating func begin() {
    // Nothing is known of waits that were over before.
    if pauses >= Self.pausesContended, contendedWaits > 0 { contendedWaits -= 1 }
    pauses = 0
  }

  mutating func pause() {
    pauses += 1
    guard pauses > Self.pausesAlone, pauses % 32 == 0 else { return ft_pause() }
    let started = ContinuousClock.now
    sched_yield()
    if ContinuousClock.now - started > Self.longYield { contendedWaits = Self.contendedWaitsAfterYield }
  }
}
