internal import Synchronization

/// Bounds how many answers are being computed or waited for.
package final class AdmissionGate: Sendable {
  /// Most answers at one time.
  let limit: Int
  private let admitted = Mutex(0)

  package init(limit: Int) { self.limit = limit }

  /// Room for `count` answers until the ticket is dropped.
  ///
  /// - Throws: 429 when there is not enough room now, 400 when there never is.
  package func admit(_ count: Int) throws(APIError) -> Ticket {
    guard count <= limit else {
      throw APIError.badRequest(
        "the request asks for \(count) answers (prompts times n); expected at most \(limit)", parameter: "n")
    }
    let isAdmitted = admitted.withLock { admitted in
      guard admitted + count <= limit else { return false }
      admitted += count
      return true
    }
    guard isAdmitted else { throw APIError.overloaded(limit: limit) }
    return Ticket(gate: self, count: count)
  }

  /// A place among the admitted.
  package final class Ticket: Sendable {
    private let gate: AdmissionGate
    private let count: Int

    fileprivate init(gate: AdmissionGate, count: Int) {
      self.gate = gate
      self.count = count
    }

    deinit { gate.admitted.withLock { [count] in $0 -= count } }
  }
}
