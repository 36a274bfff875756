/// The wake-up protocol of `WorkerState` as a machine whose every shared access is a step of its own, so that all
/// interleavings of a caller and three workers can be walked through.
struct WakeUpModel {
  /// What the caller does, one after the other, before it closes the pool.
  enum Job: Sendable { case shared(parts: UInt8), everyWorker }

  /// Mistakes that the walk has to find.
  enum Fault: CaseIterable, Sendable {
    /// Two workers have one sleep mark.
    case sharedMark
    /// A worker does not look again before it sleeps.
    case sleepsWithoutLooking
    /// A worker marks itself before it is counted, and one that is not counted may be woken in another's place.
    case markedBeforeCounted
    /// A claim does not say for which job it is.
    case namelessClaim
    /// The caller goes on when all parts are claimed.
    case callerDoesNotWait
    /// The caller does not look again before it sleeps.
    case callerSleepsWithoutLooking
    /// Who does the last part looks for a sleeping caller before it says that the part is done.
    case looksForCallerTooSoon
  }

  enum Violation: Error, Equatable {
    case deadlock
    case partOfAFinishedJob
  }

  let jobs: [Job]
  var fault: Fault?
  static let workers = 3

  /// All variables, those of the workers side by side.
  struct State: Hashable {
    // Shared.
    var round: UInt8 = 0
    var cursorJob: UInt8 = 0
    var partsLeft: UInt8 = 0
    /// Own parts not taken, one bit for each worker (bit 3: the caller's).
    var ownLeft: UInt8 = 0
    var finished: UInt8 = 0
    var sleepers: Int8 = 0
    var isClosed = false
    var marks = SIMD4<UInt8>()
    var signals = SIMD4<UInt8>()
    var callerMark = false
    var callerSignals: UInt8 = 0
    // The caller.
    var callerStep = CallerStep.open
    var job: UInt8 = 0
    var callerHeld: UInt8 = 0
    var wakesLeft: UInt8 = 0
    var seat: UInt8 = 0
    // The workers.
    var steps = SIMD4<UInt8>()
    var seen = SIMD4<UInt8>()
    var held = SIMD4<UInt8>()
  }

  enum CallerStep: UInt8 {
    case open, publish, countSleepers, lookAtMark, takeMark, subtract, signal, work, wait, mark, lookAgain, takeBack
    case sleep, close, done
  }
  private enum WorkerStep: UInt8 {
    case look, count, mark, lookAgain, takeBack, uncount, sleep, checkClosed, claim, finish, lookAtCaller
    case takeCallerMark, signalCaller, done
  }

  /// Walks through everything that can happen.
  ///
  /// - Returns: number of states, and whether the caller can finish the first job before any worker has moved.
  func walk() throws(Violation) -> (states: Int, finishesAlone: Bool) {
    var known: Set<State> = [State()]
    var open = [State()]
    var finishesAlone = false
    while let state = open.popLast() {
      if state.job == 1, state.callerStep == .open || state.callerStep == .close, state.steps == SIMD4(),
        state.seen == SIMD4()
      {
        finishesAlone = true
      }
      let next = try successors(of: state)
      if next.isEmpty {
        let isOver =
          state.callerStep == .done
          && (0..<Self.workers).allSatisfy { state.steps[$0] == WorkerStep.done.rawValue }
        guard isOver else { throw .deadlock }
      }
      for state in next where known.insert(state).inserted { open.append(state) }
    }
    return (known.count, finishesAlone)
  }

  private func parts(_ job: UInt8) -> UInt8 {
    switch jobs[Int(job)] {
    case .shared(let parts): parts
    case .everyWorker: UInt8(Self.workers + 1)
    }
  }

  private func successors(of state: State) throws(Violation) -> [State] {
    var next: [State] = []
    if let state = try callerMoves(state) { next.append(state) }
    for worker in 0..<Self.workers { if let state = try workerMoves(state, worker) { next.append(state) } }
    return next
  }

  private func mark(of worker: Int) -> Int { fault == .sharedMark ? worker % 2 : worker }

  private func callerMoves(_ old: State) throws(Violation) -> State? {
    var state = old
    switch old.callerStep {
    case .open:
      state.cursorJob = old.job + 1
      (state.partsLeft, state.ownLeft, state.finished) = (0, 0, 0)
      switch jobs[Int(old.job)] {
      case .shared(let parts): (state.partsLeft, state.wakesLeft) = (parts, parts - 1)
      case .everyWorker: (state.ownLeft, state.wakesLeft) = (1 << (Self.workers + 1) - 1, UInt8(Self.workers))
      }
      state.callerStep = .publish
    case .publish:
      (state.round, state.callerStep) = (old.round + 1, .countSleepers)
    case .countSleepers:
      state.seat = 0
      state.callerStep = old.sleepers > 0 && old.wakesLeft > 0 ? .lookAtMark : afterWaking(old)
    case .lookAtMark:
      if old.marks[mark(of: Int(old.seat))] == 1 { state.callerStep = .takeMark } else { nextSeat(&state) }
    case .takeMark:
      if old.marks[mark(of: Int(old.seat))] == 1 {
        state.marks[mark(of: Int(old.seat))] = 0
        state.callerStep = .subtract
      } else {
        nextSeat(&state)
      }
    case .subtract:
      (state.sleepers, state.callerStep) = (old.sleepers - 1, .signal)
    case .signal:
      state.signals[Int(old.seat)] += 1
      state.wakesLeft -= 1
      nextSeat(&state)
    case .work:
      if old.partsLeft > 0 {
        state.partsLeft -= 1
        state.callerHeld += 1
      } else if old.ownLeft & 8 != 0 {
        state.ownLeft &= ~8
        state.callerHeld += 1
      } else {
        state.finished += old.callerHeld
        (state.callerHeld, state.callerStep) = (0, .wait)
      }
    case .wait:
      if old.finished == parts(old.job) || fault == .callerDoesNotWait {
        state.job += 1
        state.callerStep = Int(state.job) < jobs.count ? .open : .close
      } else {
        state.callerStep = .mark
      }
    case .mark:
      (state.callerMark, state.callerStep) = (true, .lookAgain)
    case .lookAgain:
      let isDone = old.finished == parts(old.job) && fault != .callerSleepsWithoutLooking
      state.callerStep = isDone ? .takeBack : .sleep
    case .takeBack:
      (state.callerMark, state.callerStep) = (false, old.callerMark ? .wait : .sleep)
    case .sleep:
      guard old.callerSignals > 0 else { return nil }
      state.callerSignals -= 1
      state.callerStep = .wait
    case .close:
      (state.isClosed, state.wakesLeft, state.callerStep) = (true, UInt8(Self.workers), .publish)
    case .done: return nil
    }
    return state
  }

  private func afterWaking(_ state: State) -> CallerStep { state.isClosed ? .done : .work }

  private func nextSeat(_ state: inout State) {
    state.seat += 1
    let goesOn = Int(state.seat) < Self.workers && state.wakesLeft > 0
    state.callerStep = goesOn ? .lookAtMark : afterWaking(state)
  }

  private func workerMoves(_ old: State, _ worker: Int) throws(Violation) -> State? {
    var state = old
    func go(_ step: WorkerStep) { state.steps[worker] = step.rawValue }
    guard let step = WorkerStep(rawValue: old.steps[worker]) else { return nil }
    let isMarkedFirst = fault == .markedBeforeCounted
    let looksTooSoon = fault == .looksForCallerTooSoon
    let afterCaller: WorkerStep = looksTooSoon ? .finish : .look
    switch step {
    case .look:
      if old.round != old.seen[worker] {
        state.seen[worker] = old.round
        go(.checkClosed)
      } else {
        go(isMarkedFirst ? .mark : .count)
      }
    case .count:
      state.sleepers += 1
      go(isMarkedFirst ? .lookAgain : .mark)
    case .mark:
      state.marks[mark(of: worker)] = 1
      go(isMarkedFirst ? .count : .lookAgain)
    case .lookAgain:
      go(old.round != old.seen[worker] && fault != .sleepsWithoutLooking ? .takeBack : .sleep)
    case .takeBack:
      let isThere = old.marks[mark(of: worker)] == 1
      state.marks[mark(of: worker)] = 0
      go(isThere ? .uncount : .sleep)
    case .uncount:
      state.sleepers -= 1
      go(.look)
    case .sleep:
      guard old.signals[worker] > 0 else { return nil }
      state.signals[worker] -= 1
      go(.look)
    case .checkClosed:
      go(old.isClosed ? .done : .claim)
    case .claim:
      let isCurrent = old.cursorJob == old.seen[worker] || fault == .namelessClaim
      if isCurrent, old.ownLeft & 1 << UInt8(worker) != 0 {
        state.ownLeft &= ~(1 << UInt8(worker))
        state.held[worker] += 1
      } else if isCurrent, old.partsLeft > 0 {
        state.partsLeft -= 1
        state.held[worker] += 1
      } else {
        go(looksTooSoon && old.held[worker] > 0 ? .lookAtCaller : .finish)
      }
      // With a part in hand the job must be the one that the worker came for, and not be over.
      if state.held[worker] > 0, old.cursorJob != old.seen[worker] || old.job + 1 != old.seen[worker] {
        throw .partOfAFinishedJob
      }
    case .finish:
      state.finished += old.held[worker]
      let isLast = old.held[worker] > 0 && state.finished == parts(old.seen[worker] - 1)
      state.held[worker] = 0
      go(isLast && !looksTooSoon ? .lookAtCaller : .look)
    case .lookAtCaller:
      go(old.callerMark ? .takeCallerMark : afterCaller)
    case .takeCallerMark:
      state.callerMark = false
      go(old.callerMark ? .signalCaller : afterCaller)
    case .signalCaller:
      state.callerSignals += 1
      go(afterCaller)
    case .done: return nil
    }
    return state
  }
}
