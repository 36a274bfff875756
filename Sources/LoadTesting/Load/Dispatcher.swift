internal import AsyncHTTPClient
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// The queue of one run: requests join when due, and start when there is a place.
final class Dispatcher: Sendable {
  /// An answer and the request that it is to.
  struct Answer: Sendable {
    let index: Int
    /// When the request was due.
    let arrival: UInt64
    let raw: RawAnswer
  }

  private struct State {
    /// Due and not yet started; `next` is the first of them.
    var arrived = 0
    var next = 0
    var running: [Int: HTTPClient.Task<RawAnswer>] = [:]
    var places, unanswered: Int
    var isStopped = false
  }

  private let client: ServingClient
  private let requests: [HTTPClient.Request]
  private let due: [Double]
  private let answers: AsyncStream<Answer>.Continuation
  private let state: Mutex<State>
  private let began = Atomic<UInt64>(0)
  private let pieceCount = Atomic<Int>(0)

  /// - Parameters:
  ///   - due: seconds after the start, ascending.
  ///   - limit: most requests at one time.
  ///   - answers: gets every answer, and is finished after the last.
  init(
    client: ServingClient, requests: [HTTPClient.Request], due: [Double], limit: Int,
    answers: AsyncStream<Answer>.Continuation
  ) {
    self.client = client
    self.requests = requests
    self.due = due
    self.answers = answers
    state = Mutex(State(places: limit, unanswered: requests.count))
  }

  /// Pieces of answers until now.
  var pieces: Int { pieceCount.load(ordering: .relaxed) }

  func start() {
    began.store(NIODeadline.now().uptimeNanoseconds, ordering: .sequentiallyConsistent)
    let loop = client.loops.next()
    loop.execute { self.arrive(on: loop) }
  }

  /// Lets everything that is due join the queue, and comes back for the next that is not.
  private func arrive(on loop: any EventLoop) {
    let now = NIODeadline.now().uptimeNanoseconds
    let (following, starting) = state.withLock { state in
      while state.arrived < due.count, arrival(of: state.arrived) <= now { state.arrived += 1 }
      let free = min(state.places, state.arrived - state.next)
      return (state.isStopped || state.arrived == due.count ? nil : state.arrived, free)
    }
    for _ in 0..<starting {
      let other = client.loops.next()
      other.execute { self.startNext(on: other) }
    }
    if let following {
      loop.scheduleTask(deadline: .uptimeNanoseconds(arrival(of: following))) { self.arrive(on: loop) }
    }
  }

  private func arrival(of index: Int) -> UInt64 {
    began.load(ordering: .relaxed) + UInt64(OutsideNumbers.nanoseconds(due[index]))
  }

  /// Starts the first of the queue, if there is a place for it.
  private func startNext(on loop: any EventLoop) {
    let index: Int? = state.withLock { state in
      guard !state.isStopped, state.next < state.arrived, state.places > 0 else { return nil }
      defer { state.next += 1 }
      state.places -= 1
      return state.next
    }
    guard let index else { return }
    let task = client.send(requests[index], on: loop) {
      self.pieceCount.add(1, ordering: .relaxed)
    } onEnd: { raw in
      self.finish(index, raw, on: loop)
    }
    let isLate = state.withLock { state in
      if !state.isStopped { state.running[index] = task }
      return state.isStopped
    }
    if isLate { task.cancel() }
  }

  private func finish(_ index: Int, _ raw: RawAnswer, on loop: any EventLoop) {
    let isLast = state.withLock { state in
      state.running[index] = nil
      state.places += 1
      state.unanswered -= 1
      return state.unanswered == 0 || (state.isStopped && state.running.isEmpty)
    }
    startNext(on: loop)
    answers.yield(Answer(index: index, arrival: arrival(of: index), raw: raw))
    if isLast { answers.finish() }
  }

  /// Cancels what runs, and starts nothing more.
  func stop() {
    let (running, isIdle) = state.withLock { state in
      state.isStopped = true
      return (Array(state.running.values), state.running.isEmpty)
    }
    for task in running { task.cancel() }
    if isIdle { answers.finish() }
  }
}
