internal import Synchronization

/// Why a request was ended from outside, for whoever notices that it was.
final class FailureBox: Sendable {
  private let held = Mutex<APIError?>(nil)

  var error: APIError? { held.withLock { $0 } }

  func set(_ error: APIError) { held.withLock { $0 = error } }
}
