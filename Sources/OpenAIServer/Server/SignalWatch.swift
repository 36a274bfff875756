internal import Dispatch
internal import Foundation
internal import Synchronization

/// Sees to it that the order to stop is obeyed whatever the process is busy with: a second SIGTERM or SIGINT ends it at
/// once, and a first one that has not ended it within the time limit does so then.
final class SignalWatch: Sendable {
  private let sources: Mutex<[any DispatchSourceSignal]>

  private final class Flag: Sendable {
    private let isSet = Atomic<Bool>(false)

    /// Sets the flag; says whether it was set before.
    func set() -> Bool { isSet.exchange(true, ordering: .sequentiallyConsistent) }
  }

  /// - Parameter timeout: how long the orderly end may take.
  init(timeout: Duration) {
    // A queue of its own: what does not obey may be the threads that serve.
    let queue = DispatchQueue(label: "foretoken.signals")
    let seconds = Double(timeout.components.seconds) + Double(timeout.components.attoseconds) * 1e-18
    let isStopping = Flag()
    sources = Mutex(
      [SIGTERM, SIGINT].map { signal in
        let source = DispatchSource.makeSignalSource(signal: signal, queue: queue)
        source.setEventHandler {
          // As the shell has it for a process that a signal ended.
          if isStopping.set() { _exit(128 + signal) }
          queue.asyncAfter(deadline: .now() + seconds) { _exit(128 + signal) }
        }
        source.resume()
        return source
      })
  }

  deinit { sources.withLock { for source in $0 { source.cancel() } } }
}
