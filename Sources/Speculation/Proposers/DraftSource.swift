package import Decoding

/// A draft that can be told when to stop writing.
package protocol DraftSource: Proposer {
  /// Forgets all: another has used its model.
  func reset()
  /// As whose its proposals count.
  var origin: TokenOrigin { get }
  /// d(n): what passes of the draft cost.
  var costs: PassCosts { get }
  /// What a pass of the draft gives.
  var passes: DraftPasses { get }
  /// Known tokens of a request that it has yet to read, the last one not counted.
  func lag(of context: ProposalContext) -> Int
  /// Foreseen tokens of a request that it reads again each time it is asked, in a pass of their own each.
  func repeated(of context: ProposalContext) -> Int
  /// A draft for each context, ended where `continues`, given the context's index and its draft so far, says so; a draft
  /// that is written in one pass fills its window.
  func propose(
    for contexts: [ProposalContext], in pass: PassOutline,
    continuing continues: (_ index: Int, _ proposal: Proposal) -> Bool
  ) throws -> [Proposal]
}

extension DraftSource {
  /// A model of its own, unless it says otherwise.
  package var origin: TokenOrigin { .draftModel }

  /// A token at a time, unless it says otherwise.
  package var passes: DraftPasses { .eachToken }

  /// None, unless it says otherwise.
  package func repeated(of context: ProposalContext) -> Int { 0 }

  /// Does nothing: a draft need not keep anything.
  package func reset() {}

  /// A draft for each context, as long as its window.
  package func propose(for contexts: [ProposalContext], in pass: PassOutline) throws -> [Proposal] {
    try propose(for: contexts, in: pass) { _, _ in true }
  }
}

/// What a pass of a draft gives.
package enum DraftPasses: Sendable, Equatable {
  /// The next token of each sequence.
  case eachToken
  /// A block of tokens of each sequence, at most so many: a row for the last known token and one for each of the block.
  case eachBlock(most: Int)
}
