internal import Tokenization

extension ProposalContext {
  /// The tokens that the constraint leaves no choice about, and the context after them.
  func takingForcedRun() -> (run: [TokenID], rest: ProposalContext) {
    var (counts, constraint, work) = (counts, constraint, ConstraintWork.brief)
    guard let run = constraint?.forcedContinuation(maximum: window, within: &work), !run.isEmpty else {
      return ([], self)
    }
    for token in run {
      counts.append(token)
      constraint?.advance(by: token)
    }
    var rest = self
    rest.tokens += run
    rest.window -= run.count
    rest.foreseenCount = run.count
    rest.remaining -= run.count
    (rest.counts, rest.constraint) = (counts, constraint)
    return (run, rest)
  }

  /// `guess` up to the window's end and to the first token that the constraint excludes, or is late to speak on.
  func admissible(_ guess: Proposal) -> Proposal {
    var admitted = guess
    admitted.truncate(to: window)
    guard var constraint else { return admitted }
    for (index, token) in admitted.tokens.enumerated() {
      let next = constraint.nextSoon()
      guard !next.isLate, next.mask?.contains(token) ?? true else {
        admitted.truncate(to: index)
        break
      }
      constraint.advance(by: token)
    }
    return admitted
  }
}
