public import Decoding

/// Serves requests that name a method by that method's proposer, and leaves all others to one that decides.
///
/// What a request names is proposed always and in full; the proposer that decides plans around it.
public final class MethodRouter: Proposer {
  private let deciding: any Proposer
  private let named: [SpeculationMethod: any Proposer]
  /// Those that `deciding` does not tell of passes and verdicts.
  private let others: [any Proposer]
  /// What any of them wants.
  public let taps: [Int]

  /// A router to named proposers, and to `deciding` for requests that name none of them.
  ///
  /// - Parameters:
  ///   - shared: proposers that `deciding` chooses from.
  ///   - others: proposers that it knows nothing of.
  public init(
    deciding: any Proposer, shared: [SpeculationMethod: any Proposer], others: [SpeculationMethod: any Proposer]
  ) {
    self.deciding = deciding
    named = shared.merging(others) { first, _ in first }
    self.others = Array(others.values)
    taps = Set(others.values.flatMap(\.taps) + deciding.taps).sorted()
  }

  /// Everyone sees the pass.
  public func process(_ pass: TargetPass) throws {
    try deciding.process(pass)
    for proposer in others { try proposer.process(pass) }
  }

  /// Proposals by who was named, and by who decides.
  public func propose(for contexts: [ProposalContext], in pass: PassOutline) throws -> [Proposal] {
    var groups: [SpeculationMethod: [Int]] = [:]
    for (index, context) in contexts.enumerated() {
      if let method = context.method, named[method] != nil { groups[method, default: []].append(index) }
    }
    guard !groups.isEmpty else { return try deciding.propose(for: contexts, in: pass) }
    var proposals: [Proposal?] = contexts.map { _ in nil }
    for (method, places) in groups {
      let written = try named[method]?.propose(for: places.map { contexts[$0] }, in: pass) ?? []
      for (place, proposal) in zip(places, written) { proposals[place] = proposal }
    }
    let others = contexts.indices.filter { proposals[$0] == nil }
    if !others.isEmpty {
      let rows = pass.rows + proposals.reduce(0) { $0 + ($1?.tokens.count ?? 0) }
      let planned = try deciding.propose(for: others.map { contexts[$0] }, in: pass.with(rows: rows))
      for (place, proposal) in zip(others, planned) { proposals[place] = proposal }
    }
    return proposals.map { $0 ?? Proposal(origin: .target) }
  }

  /// All is learnt from, whoever proposed it.
  public func observe(_ verdicts: [Verdict]) {
    deciding.observe(verdicts)
    for proposer in others { proposer.observe(verdicts) }
  }

  /// Everyone forgets the request.
  public func forget(_ request: RequestID) {
    deciding.forget(request)
    for proposer in others { proposer.forget(request) }
  }

  /// Seconds of the models that are chosen from.
  public var passSeconds: Double { deciding.passSeconds }

  /// The last decision of the proposer that decides.
  public func explanation(for request: RequestID) -> SpeculationDecision? { deciding.explanation(for: request) }

  /// What the proposer that decides could choose from.
  public func offers(for request: RequestID) -> [Proposal] { deciding.offers(for: request) }
}
