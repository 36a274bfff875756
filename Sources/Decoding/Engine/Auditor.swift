public import Tokenization

/// An answer that speculation changed, which must never happen, with what it takes to replay it.
public struct AuditMismatch: Sendable, CustomStringConvertible {
  /// The request.
  public let request: GenerationRequest
  /// What was answered.
  public let answered: [TokenID]
  /// What plain decoding writes.
  public let expected: [TokenID]

  /// The first position that differs, and everything that the answer follows from.
  public var description: String {
    let place = zip(answered, expected).prefix { $0 == $1 }.count
    return "speculation changed an answer at output token \(place): answered \(answered.dropFirst(place).prefix(3)), "
      + "plain decoding writes \(expected.dropFirst(place).prefix(3)); to replay: prompt \(request.prompt), "
      + "\(request.sampling), \(request.stopping)"
  }
}

/// Decodes some of the answers a second time without speculation, while there is nothing else to do, and compares.
///
/// Lives on the engine's thread.
final class Auditor {
  private struct Audit {
    let request: GenerationRequest
    let answered: [TokenID]
  }

  /// Answers that wait at most; more are let go unaudited.
  private static let mostPending = 64

  private let share: Double
  private let report: @Sendable (AuditMismatch) -> Void
  private var due = 0.0
  private var watched: [RequestID: Audit] = [:]
  private var pending: [Audit] = []
  private var running: (id: RequestID, audit: Audit, written: [TokenID])?
  private var started = 0
  /// Answers compared.
  private(set) var audited = 0
  /// Of these, those that differed.
  private(set) var mismatches = 0

  /// An auditor of `share` (0 to 1) of the answers.
  init(share: Double, report: @escaping @Sendable (AuditMismatch) -> Void) {
    self.share = share
    self.report = report
  }

  /// Whether there is something to compare.
  var hasWork: Bool { running != nil || !pending.isEmpty }

  /// Takes note of a new request: work of its own has to wait.
  func requestArrived(_ request: GenerationRequest, as id: RequestID, in loop: DecodingLoop) {
    if let running {
      _ = loop.cancel(running.id)
      pending.insert(running.audit, at: 0)
      self.running = nil
    }
    due += share
    guard due >= 1, request.window != 0, request.pooling == nil else { return }
    due -= 1
    watched[id] = Audit(request: request, answered: [])
  }

  /// Takes note of an event; `true` when it belongs to an audit and to no client.
  func sees(_ event: GenerationEvent, of id: RequestID) -> Bool {
    if running?.id == id {
      switch event {
      case .token(let token): running?.written.append(token.id)
      case .finished: compare()
      }
      return true
    }
    guard let audit = watched[id] else { return false }
    switch event {
    case .token(let token): watched[id] = Audit(request: audit.request, answered: audit.answered + [token.id])
    case .finished(let summary):
      watched[id] = nil
      switch summary.reason {
      case .cancelled, .failed, .pooled: break
      case .stopToken, .stopString, .length: if pending.count < Self.mostPending { pending.append(audit) }
      }
    }
    return false
  }

  /// Begins with the next answer.
  func begin(in loop: DecodingLoop) {
    guard running == nil, !pending.isEmpty else { return }
    let audit = pending.removeFirst()
    var request = audit.request
    request.window = 0
    request.logprobCount = nil
    request.promptLogprobCount = nil
    started += 1
    // Clients' requests count up from 1.
    let id = RequestID(-started)
    guard (try? loop.submit(request, as: id)) != nil else { return }
    running = (id, audit, [])
  }

  private func compare() {
    guard let running else { return }
    self.running = nil
    audited += 1
    guard running.written != running.audit.answered else { return }
    mismatches += 1
    report(AuditMismatch(request: running.audit.request, answered: running.audit.answered, expected: running.written))
  }
}
