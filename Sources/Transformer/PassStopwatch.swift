/// Adds up the time of a forward pass by kind of operation.
package final class PassStopwatch {
  /// Kinds of operations, in the order in which a pass first meets them.
  package enum Operation: String, CaseIterable, Sendable {
    case embedding, norms
    case queryKeyValue = "qkv"
    case rotary = "rope and store"
    case attention, recurrence
    case attentionOutput = "attention output"
    case router
    case gateUp = "gate and up"
    case down, head
  }

  /// Time of every operation since the last `reset`.
  package private(set) var times: [Operation: Duration] = [:]
  private let clock = ContinuousClock()
  private var last = ContinuousClock.now

  /// At zero.
  package init() {}

  /// Forgets what was measured.
  package func reset() { times = [:] }

  /// Begins a pass.
  func start() { last = clock.now }

  /// Ends an operation that began at the last call of this object.
  func lap(_ operation: Operation) {
    let now = clock.now
    times[operation, default: .zero] += now - last
    last = now
  }
}
