internal import Dispatch
internal import Foundation
internal import Synchronization

/// Works out what constraints allow next on a thread of its own, beside the engine's passes.
///
/// Whoever needs little is not kept by those who need much: work goes round in slices, which grow so that all of it ends.
final class ConstraintPreparation {
  private struct Job: Sendable {
    let request: RequestID
    var constraint: any TokenConstraint
    var slice = ConstraintPreparation.firstSlice
  }

  private struct State {
    var jobs: [Job] = []
    var done: [RequestID: any TokenConstraint] = [:]
    /// Requests that wait for a constraint; results of others are dropped.
    var awaited: Set<RequestID> = []
    var isClosed = false
  }

  /// What both threads hold.
  private final class Shared: Sendable {
    let state = Mutex(State())
    let arrivals = DispatchSemaphore(value: 0)
    let completions = DispatchSemaphore(value: 0)
  }

  /// More steps than following one byte may take.
  private static let firstSlice = 4 * ConstraintWork.brief.steps
  private let shared = Shared()
  private var hasThread = false

  deinit {
    shared.state.withLock { $0.isClosed = true }
    shared.arrivals.signal()
  }

  /// Begins to work out what `constraint` allows next, for `request`.
  func begin(_ constraint: any TokenConstraint, for request: RequestID) {
    shared.state.withLock { state in
      state.awaited.insert(request)
      state.jobs.append(Job(request: request, constraint: constraint))
    }
    if !hasThread {
      hasThread = true
      let thread = Thread { [shared] in Self.run(shared) }
      thread.name = "foretoken.constraints"
      thread.start()
    }
    shared.arrivals.signal()
  }

  /// The constraint of `request`, which knows what it allows next; `nil` while that is not known.
  ///
  /// - Parameter patience: how long to wait for it.
  func take(_ request: RequestID, waiting patience: DispatchTimeInterval = .never) -> (any TokenConstraint)? {
    let deadline = DispatchTime.now() + patience
    while true {
      let constraint = shared.state.withLock { state in
        let constraint = state.done.removeValue(forKey: request)
        if constraint != nil { state.awaited.remove(request) }
        return constraint
      }
      if constraint != nil || patience == .never { return constraint }
      guard shared.completions.wait(timeout: deadline) == .success else { return nil }
    }
  }

  /// Sleeps until any constraint is worked out, and no longer than `patience`.
  func wait(_ patience: DispatchTimeInterval) {
    guard shared.state.withLock({ $0.done.isEmpty }) else { return }
    _ = shared.completions.wait(timeout: .now() + patience)
  }

  /// Drops what is worked out for a request that has ended.
  func forget(_ request: RequestID) {
    shared.state.withLock { state in
      guard state.awaited.remove(request) != nil else { return }
      state.done[request] = nil
      state.jobs.removeAll { $0.request == request }
    }
  }

  private static func run(_ shared: Shared) {
    while true {
      shared.arrivals.wait()
      while var job = shared.state.withLock({ $0.jobs.isEmpty || $0.isClosed ? nil : $0.jobs.removeFirst() }) {
        var work = ConstraintWork(steps: job.slice, waits: true)
        let isLate = job.constraint.next(within: &work).isLate
        job.slice = job.slice.multipliedReportingOverflow(by: 2).overflow ? .max : job.slice * 2
        shared.state.withLock { state in
          guard state.awaited.contains(job.request) else { return }
          if isLate { state.jobs.append(job) } else { state.done[job.request] = job.constraint }
        }
        if !isLate { shared.completions.signal() }
      }
      if shared.state.withLock(\.isClosed) { return }
    }
  }
}
