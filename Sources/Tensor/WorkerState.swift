internal import CForetokenKernels
internal import Dispatch
internal import Synchronization

/// What the workers of a pool share: the job of the moment, and who sleeps.
///
/// Jobs are numbered. A worker may come to a job late, when it is over or another one has begun, so nothing that it
/// read before counts until it has claimed a part, and a claim names the job: `cursor` holds the job's number beside the
/// start of the rest, own parts hold the number of the last job they were taken in. A job cannot end while a claimed
/// part is not finished, so whoever holds a part may use the job's body.
final class WorkerState: Sendable {
  /// One worker's own.
  private final class Seat: Sendable {
    /// The last job in which somebody took the part that this worker was to begin with.
    let ownPartTaken = Atomic<UInt64>(0)
    /// Whether the worker sleeps or is about to. Whoever takes the mark away owes it a signal.
    let isAsleep = Atomic<Bool>(false)
    let wakeUp = DispatchSemaphore(value: 0)
  }

  private let seats: [Seat]
  /// The number of the last job that was opened.
  private let round = Atomic<UInt64>(0)
  /// The job's number, cut to its upper 40 bits, and the start of what nobody has claimed.
  private let cursor = Atomic<UInt64>(WorkerState.closed)
  /// Items that are done.
  private let finished = Atomic<Int>(0)
  /// Own parts that are taken.
  private let ownPartsTaken = Atomic<Int>(0)
  private let sleepers = Atomic<Int>(0)
  private let isClosed = Atomic<Bool>(false)
  /// Whether the caller sleeps until the job is done, or is about to. Whoever takes the mark away owes it a signal.
  private let callerIsAsleep = Atomic<Bool>(false)
  private let callerWakeUp = DispatchSemaphore(value: 0)
  private let callerContendedWaits = Atomic<Int>(0)
  private let body = Mutex<(@Sendable (Int, Range<Int>) -> Void)?>(nil)

  // The job, field by field: it is read while the next one may already be written, and then thrown away.
  private let count = Atomic<Int>(0)
  private let unit = Atomic<Int>(0)
  private let ownParts = Atomic<Int>(0)
  private let ownPartLength = Atomic<Int>(0)
  private let divisor = Atomic<Int>(0)
  private let isBound = Atomic<Bool>(false)

  /// What to fetch while there is nothing to do: an address (0 for nothing), bytes between workers' parts, and bytes.
  private let upcomingStart = Atomic<UInt>(0)
  private let upcomingStride = Atomic<Int>(0)
  private static let mostBytesFetched = 192 << 10

  /// A start that says that there is nothing to claim and that the job is not to be read.
  private static let closed = UInt64(0xFF_FFFF)
  /// Most items of a job.
  static let mostItems = Int(closed) - 1

  init(workers: Int) { seats = (0..<workers).map { _ in Seat() } }

  // MARK: The caller

  /// Makes `job` the one to do, and wakes as many sleepers as can find something to do.
  func open(_ job: WorkerJob, _ body: @escaping @Sendable (Int, Range<Int>) -> Void) -> UInt64 {
    precondition(job.count <= Self.mostItems)
    let number = round.load(ordering: .relaxed) + 1
    cursor.store(Self.word(number, Self.closed), ordering: .relaxed)
    // Whoever reads a field of this job after this sees the closed cursor too.
    atomicMemoryFence(ordering: .releasing)
    count.store(job.count, ordering: .relaxed)
    unit.store(job.unit, ordering: .relaxed)
    ownParts.store(job.ownParts, ordering: .relaxed)
    ownPartLength.store(job.ownPartLength, ordering: .relaxed)
    divisor.store(job.divisor, ordering: .relaxed)
    isBound.store(job.isBound, ordering: .relaxed)
    finished.store(0, ordering: .relaxed)
    ownPartsTaken.store(0, ordering: .relaxed)
    self.body.withLock { $0 = body }
    cursor.store(Self.word(number, UInt64(job.firstClaim)), ordering: .releasing)
    round.store(number, ordering: .sequentiallyConsistent)
    wake(job.isBound ? .max : job.mostWorkers - 1)
    return number
  }

  /// Whether all of the job, the one that was opened last, is done.
  func isDone(_ job: WorkerJob) -> Bool { finished.load(ordering: .acquiring) == job.count }

  /// How the caller waits, from what it has met in earlier waits.
  var callerPatience: Patience {
    get { Patience(contendedWaits: callerContendedWaits.load(ordering: .relaxed)) }
    set {
      var patience = newValue
      patience.begin()
      callerContendedWaits.store(patience.contendedWaits, ordering: .relaxed)
    }
  }

  /// Sleeps until all of the job is done, or for a shorter time.
  func sleepUntilDone(_ job: WorkerJob) {
    callerIsAsleep.store(true, ordering: .sequentiallyConsistent)
    // The last part may have been finished between the last look and the mark.
    if finished.load(ordering: .sequentiallyConsistent) == job.count,
      callerIsAsleep.exchange(false, ordering: .sequentiallyConsistent)
    {
      return
    }
    callerWakeUp.wait()
  }

  /// Lets go of the job's body. All parts are finished, so that nobody else has it.
  func dropBody() { body.withLock { $0 = nil } }

  /// Sends the workers home.
  func close() {
    isClosed.store(true, ordering: .releasing)
    round.add(1, ordering: .sequentiallyConsistent)
    wake(.max)
  }

  private func wake(_ most: Int) {
    guard most > 0, sleepers.load(ordering: .sequentiallyConsistent) > 0 else { return }
    var left = most
    for seat in seats.dropFirst() where seat.isAsleep.load(ordering: .sequentiallyConsistent) {
      guard left > 0 else { return }
      if takeMark(seat) {
        seat.wakeUp.signal()
        left -= 1
      }
    }
  }

  // MARK: Workers

  /// A worker's life: it looks for jobs until the pool is closed.
  func work(as worker: Int) {
    var seen: UInt64 = 0
    var fetch = Fetch(next: 0, end: 0)
    var patience = Patience()
    while true {
      patience.begin()
      var latest = round.load(ordering: .acquiring)
      while latest == seen {
        if !fetch.step() {
          patience.pause()
          if patience.isSpent {
            sleep(as: worker, seen: seen)
            patience.begin()
          }
        }
        latest = round.load(ordering: .acquiring)
      }
      if isClosed.load(ordering: .acquiring) { return }
      seen = latest
      takeParts(of: latest, as: worker)
      fetch = self.fetch(by: worker)
    }
  }

  private func sleep(as worker: Int, seen: UInt64) {
    let seat = seats[worker]
    // Counted before marked: whoever takes the mark subtracts, and the count must never fall short of the marks.
    sleepers.add(1, ordering: .sequentiallyConsistent)
    seat.isAsleep.store(true, ordering: .sequentiallyConsistent)
    // A job may have come between the last look and the mark; then take the mark back, or the signal if it was sent.
    if round.load(ordering: .sequentiallyConsistent) != seen, takeMark(seat) { return }
    seat.wakeUp.wait()
  }

  /// Takes the sleep mark away; says whether it was there.
  private func takeMark(_ seat: Seat) -> Bool {
    guard seat.isAsleep.exchange(false, ordering: .sequentiallyConsistent) else { return false }
    sleepers.subtract(1, ordering: .sequentiallyConsistent)
    return true
  }

  /// Does parts of job `number` until none is left; none at all if the job is over.
  func takeParts(of number: UInt64, as worker: Int) {
    guard let job = self.job(number) else { return }
    let items = doParts(of: job, number, as: worker)
    // The last thing to do: from here on the caller may go on without this worker.
    guard items > 0 else { return }
    let sum = finished.add(items, ordering: .sequentiallyConsistent).newValue
    if sum == job.count, callerIsAsleep.load(ordering: .sequentiallyConsistent),
      callerIsAsleep.exchange(false, ordering: .sequentiallyConsistent)
    {
      callerWakeUp.signal()
    }
  }

  /// A function of its own, so that the body is let go of before the caller hears that the parts are done.
  @inline(never) private func doParts(of job: WorkerJob, _ number: UInt64, as worker: Int) -> Int {
    guard var part = firstPart(of: job, number, as: worker) else { return 0 }
    guard let body = self.body.withLock({ $0 }) else { return 0 }
    var items = 0
    while true {
      body(worker, part)
      items += part.count
      guard let next = claim(of: job, number) ?? othersPart(of: job, number, as: worker) else { return items }
      part = next
    }
  }

  private func firstPart(of job: WorkerJob, _ number: UInt64, as worker: Int) -> Range<Int>? {
    if worker < job.ownParts, takeOwnPart(worker, number) { return job.ownPart(worker) }
    return claim(of: job, number) ?? othersPart(of: job, number, as: worker)
  }

  // MARK: Claims

  /// The job of that number, or `nil` when it is no longer the latest.
  private func job(_ number: UInt64) -> WorkerJob? {
    guard isOpen(cursor.load(ordering: .acquiring), number) else { return nil }
    let job = WorkerJob(
      count: count.load(ordering: .relaxed), unit: unit.load(ordering: .relaxed),
      ownParts: ownParts.load(ordering: .relaxed), ownPartLength: ownPartLength.load(ordering: .relaxed),
      divisor: divisor.load(ordering: .relaxed), isBound: isBound.load(ordering: .relaxed))
    // A field of a later job was written after the cursor had named that job, so this look would tell.
    atomicMemoryFence(ordering: .acquiring)
    return isOpen(cursor.load(ordering: .relaxed), number) ? job : nil
  }

  /// The next part that nobody has.
  private func claim(of job: WorkerJob, _ number: UInt64) -> Range<Int>? {
    var word = cursor.load(ordering: .relaxed)
    while isOpen(word, number), let part = job.claim(from: Int(word & Self.closed)) {
      let (isMine, found) = cursor.weakCompareExchange(
        expected: word, desired: Self.word(number, UInt64(part.upperBound)), ordering: .acquiringAndReleasing)
      if isMine { return part }
      word = found
    }
    return nil
  }

  /// The own part of a worker that has not begun.
  private func othersPart(of job: WorkerJob, _ number: UInt64, as worker: Int) -> Range<Int>? {
    guard !job.isBound, ownPartsTaken.load(ordering: .relaxed) < job.ownParts else { return nil }
    for step in 1...job.ownParts {
      let other = (worker + step) % job.ownParts
      if takeOwnPart(other, number) { return job.ownPart(other) }
    }
    return nil
  }

  /// Whether the caller is the one to do that part. Numbers only grow, so a worker that is late never gets one.
  private func takeOwnPart(_ index: Int, _ number: UInt64) -> Bool {
    let seat = seats[index]
    let last = seat.ownPartTaken.load(ordering: .relaxed)
    guard last < number else { return false }
    let (isMine, _) = seat.ownPartTaken.compareExchange(
      expected: last, desired: number, ordering: .acquiringAndReleasing)
    guard isMine else { return false }
    ownPartsTaken.add(1, ordering: .relaxed)
    return true
  }

  private static func word(_ number: UInt64, _ start: UInt64) -> UInt64 { number << 24 | start }

  private func isOpen(_ word: UInt64, _ number: UInt64) -> Bool {
    word >> 24 == (number << 24) >> 24 && word & Self.closed != Self.closed
  }

  // MARK: Fetching

  /// Says what workers should fetch while they wait.
  func announce(_ upcoming: WorkerPool.Upcoming?, workers: Int) {
    upcomingStart.store(upcoming?.address ?? 0, ordering: .relaxed)
    upcomingStride.store(upcoming?.stride(workers: workers) ?? 0, ordering: .relaxed)
  }

  /// What worker `worker` has to fetch.
  func fetch(by worker: Int) -> Fetch {
    let (start, stride) = (upcomingStart.load(ordering: .relaxed), upcomingStride.load(ordering: .relaxed))
    guard start != 0 else { return Fetch(next: 0, end: 0) }
    // Past the last part this may be memory of something else, or none at all: asking for it does no harm.
    let first = start &+ UInt(bitPattern: worker &* stride)
    return Fetch(next: first, end: first &+ UInt(min(stride, Self.mostBytesFetched)))
  }

  /// Memory to ask for bit by bit.
  struct Fetch {
    var next: UInt
    let end: UInt

    /// Asks for a few lines; says whether there were any left.
    mutating func step() -> Bool {
      guard next < end, let address = unsafe UnsafeRawPointer(bitPattern: next) else { return false }
      unsafe ft_prefetch(address, 4)
      next &+= 256
      return true
    }
  }
}
