internal import Foundation
internal import Synchronization

/// Turns Ctrl-C into a call while there is something to stop; at the prompt it does nothing.
final class InterruptWatch {
  private let action = Action()
  private let source: any DispatchSourceSignal

  private final class Action: Sendable {
    let body = Mutex<(@Sendable () -> Void)?>(nil)
  }

  init() {
    signal(SIGINT, SIG_IGN)
    source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
    source.setEventHandler { [action] in action.body.withLock { $0 }?() }
    source.resume()
  }

  func onInterrupt(_ action: (@Sendable () -> Void)?) { self.action.body.withLock { $0 = action } }

  /// The first Ctrl-C does this, the second ends the process.
  func onFirstInterrupt(_ first: @escaping @Sendable () -> Void) {
    onInterrupt { [action] in
      action.body.withLock { $0 = { InterruptWatch.endProcess() } }
      first()
    }
  }

  /// Ends the process as Ctrl-C does where nobody watches for it.
  private static func endProcess() {
    signal(SIGINT, SIG_DFL)
    raise(SIGINT)
  }
}
