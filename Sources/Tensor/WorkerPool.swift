internal import CForetokenKernels
internal import Dispatch
internal import Foundation
internal import Synchronization

/// Threads that work on one thing together: the caller is worker 0, and `run` returns when all are done.
///
/// A forward pass is hundreds of short steps, so idle workers spin for a moment before they go to sleep.
public final class WorkerPool: Sendable {
  /// Number of workers, the caller included.
  public let threadCount: Int
  fileprivate let state = WorkerState()
  private let wakeUps: [DispatchSemaphore]

  /// One per physical core that this process may use.
  public static var defaultThreadCount: Int { PhysicalCores.count }

  /// Starts `threadCount - 1` threads.
  public init(threadCount: Int) {
    precondition(threadCount >= 1)
    self.threadCount = threadCount
    let wakeUps = (1..<threadCount).map { _ in DispatchSemaphore(value: 0) }
    self.wakeUps = wakeUps
    for index in 1..<threadCount {
      let (state, wakeUp) = (state, wakeUps[index - 1])
      let thread = Thread { state.work(as: index, wakeUp: wakeUp) }
      thread.name = "foretoken.worker.\(index)"
      thread.start()
    }
  }

  deinit {
    state.isClosed.store(true, ordering: .releasing)
    state.round.add(1, ordering: .releasing)
    for wakeUp in wakeUps { wakeUp.signal() }
  }

  /// Calls `body` once on every worker, with the worker's number.
  package func run(_ body: @Sendable (Int) -> Void) {
    guard threadCount > 1 else { return body(0) }
    withoutActuallyEscaping(body) { body in
      state.job.withLock { $0 = body }
      state.unfinished.store(threadCount - 1, ordering: .relaxed)
      state.round.add(1, ordering: .sequentiallyConsistent)
      for (index, wakeUp) in wakeUps.enumerated() where state.isAsleep(index + 1) { wakeUp.signal() }
      body(0)
      var patience = Patience()
      var fetch = state.fetch(by: 0)
      while state.unfinished.load(ordering: .acquiring) > 0 {
        if !fetch.step() { patience.pause() }
      }
      state.job.withLock { $0 = nil }
    }
  }

  /// Calls `body` with a share of `0..<count` on every worker; shares are consecutive.
  package func run(over count: Int, _ body: @Sendable (Range<Int>) -> Void) {
    let workers = threadCount
    guard workers > 1, count > 1 else {
      if count > 0 { body(0..<count) }
      return
    }
    run { worker in
      let share = count * worker / workers..<count * (worker + 1) / workers
      if !share.isEmpty { body(share) }
    }
  }
}

extension WorkerPool {
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
    let workers = min(threadCount, WorkerState.mostFirstParts)
    let first = Self.firstShare(of: count, unit: unit, workers: workers)
    state.claimed.store(min(workers * first, count), ordering: .relaxed)
    state.firstParts.store(0, ordering: .relaxed)
    state.announce(upcoming, workers: workers)
    run { worker in
      func takeFirstPart(_ index: Int) {
        let part = min(index * first, count)..<min((index + 1) * first, count)
        if !part.isEmpty, self.state.claimFirstPart(index) { body(part) }
      }
      if worker < workers { takeFirstPart(worker) }
      while let part = self.claim(of: count, unit: unit, workers: workers) { body(part) }
      // Workers that have not even begun.
      for index in 0..<workers where index != worker { takeFirstPart(index) }
    }
  }

  /// Units of the part that each worker begins with: half of the work is left to whoever is free.
  private static func firstShare(of count: Int, unit: Int, workers: Int) -> Int {
    max(unit, count / (2 * workers) / unit * unit)
  }

  /// Memory that will be read by `run(claiming:inMultiplesOf:upcoming:_:)` soon.
  package struct Upcoming: Sendable {
    let address: UInt
    let bytesPerUnit, count, unit: Int

    /// Bytes from one worker's first part to the next one's.
    func stride(workers: Int) -> Int { firstShare(of: count, unit: unit, workers: workers) * bytesPerUnit }
  }

  /// Calls `body` with a worker's number and each index below `count`; a worker takes an index when it is free.
  ///
  /// - Parameter onCaller: whether the work is too little to tell other threads of it.
  package func runEach(_ count: Int, onCaller: Bool = false, _ body: @Sendable (Int, Int) -> Void) {
    guard threadCount > 1, count > 1, !onCaller else {
      for index in 0..<count { body(0, index) }
      return
    }
    state.claimed.store(0, ordering: .relaxed)
    run { worker in
      while true {
        let index = self.state.claimed.add(1, ordering: .relaxed).oldValue
        guard index < count else { return }
        body(worker, index)
      }
    }
  }

  /// The next part that nobody has: a share of half of what is left.
  private func claim(of count: Int, unit: Int, workers: Int) -> Range<Int>? {
    var first = state.claimed.load(ordering: .relaxed)
    while first < count {
      let share = max(unit, (count - first) / (2 * workers) / unit * unit)
      let last = min(first + share, count)
      let (isMine, found) = state.claimed.compareExchange(
        expected: first, desired: last, ordering: .relaxed)
      if isMine { return first..<last }
      first = found
    }
    return nil
  }
}

/// Waiting without sleep: at first for this thread's own use of the core, then for whoever else wants it, as the
/// thread that is waited for may.
private struct Patience {
  private var pauses = 0
  private static let pausesAlone = 1_000
  private static let mostPauses = 20_000

  var isSpent: Bool { pauses == Self.mostPauses }

  mutating func pause() {
    pauses += 1
    if pauses > Self.pausesAlone, pauses % 32 == 0 { sched_yield() } else { ft_pause() }
  }
}

/// What the workers share.
private final class WorkerState: Sendable {
  /// Counts jobs; a worker that sees a new number takes the job.
  let round = Atomic<Int>(0)
  /// Workers that have not finished the job yet.
  let unfinished = Atomic<Int>(0)
  let isClosed = Atomic<Bool>(false)
  /// Start of what nobody has taken yet of a job that is claimed part by part.
  let claimed = Atomic<Int>(0)
  /// Bit `i` is set when the part that worker `i` was to begin with is taken.
  let firstParts = Atomic<UInt64>(0)
  static let mostFirstParts = 64
  let job = Mutex<(@Sendable (Int) -> Void)?>(nil)
  /// What to fetch while there is nothing to do: an address (0 for nothing), bytes between workers' parts, and bytes.
  private let upcomingStart = Atomic<UInt>(0)
  private let upcomingStride = Atomic<Int>(0)
  private static let mostBytesFetched = 192 << 10
  /// Bit `i` is set while worker `i` sleeps or is about to.
  private let sleepers = Atomic<UInt64>(0)

  /// Whether the caller is the one to do the part.
  func claimFirstPart(_ index: Int) -> Bool {
    let bit = UInt64(1) << UInt64(index)
    return firstParts.bitwiseOr(bit, ordering: .relaxed).oldValue & bit == 0
  }

  /// Says what workers should fetch while they wait.
  func announce(_ upcoming: WorkerPool.Upcoming?, workers: Int) {
    upcomingStart.store(upcoming?.address ?? 0, ordering: .relaxed)
    upcomingStride.store(upcoming?.stride(workers: workers) ?? 0, ordering: .relaxed)
  }

  /// What worker `worker` has to fetch.
  func fetch(by worker: Int) -> Fetch {
    let (start, stride) = (upcomingStart.load(ordering: .relaxed), upcomingStride.load(ordering: .relaxed))
    guard start != 0, worker < Self.mostFirstParts else { return Fetch(next: 0, end: 0) }
    let first = start + UInt(worker * stride)
    return Fetch(next: first, end: first + UInt(min(stride, Self.mostBytesFetched)))
  }

  /// Memory to ask for bit by bit.
  struct Fetch {
    var next: UInt
    let end: UInt

    /// Asks for a few lines; says whether there were any left.
    mutating func step() -> Bool {
      guard next < end, let address = unsafe UnsafeRawPointer(bitPattern: next) else { return false }
      unsafe ft_prefetch(address, 4)
      next += 256
      return true
    }
  }

  /// Takes the worker's sleep mark away; whoever does owes it a signal.
  func isAsleep(_ worker: Int) -> Bool {
    let bit = UInt64(1) << UInt64(worker % 64)
    return sleepers.bitwiseAnd(~bit, ordering: .sequentiallyConsistent).oldValue & bit != 0
  }

  func work(as worker: Int, wakeUp: DispatchSemaphore) {
    var seen = 0
    var fetch = Fetch(next: 0, end: 0)
    while true {
      var patience = Patience()
      while round.load(ordering: .acquiring) == seen {
        if fetch.step() { continue }
        patience.pause()
        if patience.isSpent { sleep(as: worker, seen: seen, wakeUp: wakeUp) }
      }
      seen += 1
      if isClosed.load(ordering: .acquiring) { return }
      runJob(as: worker)
      fetch = self.fetch(by: worker)
      unfinished.subtract(1, ordering: .releasing)
    }
  }

  /// A function of its own, so that the closure is let go of before the caller hears that the job is done.
  @inline(never) private func runJob(as worker: Int) {
    let body = job.withLock { $0 }
    body?(worker)
  }

  private func sleep(as worker: Int, seen: Int, wakeUp: DispatchSemaphore) {
    let bit = UInt64(1) << UInt64(worker % 64)
    sleepers.bitwiseOr(bit, ordering: .sequentiallyConsistent)
    // A job may have come between the last look and the mark; then take the mark back, or the signal if it was sent.
    if round.load(ordering: .sequentiallyConsistent) != seen, isAsleep(worker) { return }
    wakeUp.wait()
  }
}

/// The processor cores that this process may use.
enum PhysicalCores {
  static var count: Int {
    #if os(Linux)
    let allowed = allowedProcessors
    guard !allowed.isEmpty else { return ProcessInfo.processInfo.activeProcessorCount }
    // Hyperthreads of one core compete for the same arithmetic units; the first of each core stands for it.
    let cores = Set(
      allowed.map { cpu -> String in
        let path = "/sys/devices/system/cpu/cpu\(cpu)/topology/thread_siblings_list"
        return (try? String(contentsOfFile: path, encoding: .utf8)) ?? "\(cpu)"
      })
    return max(1, cores.count)
    #else
    return ProcessInfo.processInfo.activeProcessorCount
    #endif
  }

  #if os(Linux)
  /// From a line such as `Cpus_allowed_list: 0-3,8`.
  private static var allowedProcessors: [Int] {
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("Cpus_allowed_list:") })
    else { return [] }
    return line.dropFirst("Cpus_allowed_list:".count).split(separator: ",").flatMap { range -> [Int] in
      let ends = range.split(separator: "-").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
      guard let first = ends.first, let last = ends.last, first <= last else { return [] }
      return Array(first...last)
    }
  }
  #endif
}
