public import Decoding
package import Tokenization

/// Prompt lookup: finds where the sequence's last few tokens stood before, and proposes what followed them there.
///
/// Costs no model. Good where outputs repeat their inputs: edits, summaries, extraction.
///
/// Source: Saxena, "Prompt lookup decoding" (2023).
public final class NGramProposer: Proposer {
  private let lengths: ClosedRange<Int>

  /// Looks for matches of `lengths.upperBound` tokens first, then of fewer, down to `lengths.lowerBound`
  /// (`prompt_lookup_max` and `prompt_lookup_min`).
  public init(lengths: ClosedRange<Int>) {
    precondition(lengths.lowerBound >= 1)
    self.lengths = lengths
  }

  /// What followed the sequences' last tokens earlier on.
  public func propose(for contexts: [ProposalContext], in pass: PassOutline) -> [Proposal] {
    contexts.map { Proposal(tokens: continuation(of: $0.tokens, window: $0.window), origin: .ngram) }
  }

  /// Does nothing: the sequence itself is all it looks at.
  public func forget(_ request: RequestID) {}

  /// What followed the latest earlier occurrence of the longest repeated end of `tokens`; empty when none repeats.
  package func continuation(of tokens: [TokenID], window: Int) -> [TokenID] {
    // One scan finds the longest match of up to `upperBound` tokens; a later one wins only if it is as long.
    var best: (length: Int, next: Int)?
    let last = tokens.count - 1
    for end in stride(from: last - 1, through: 0, by: -1) where tokens[end] == tokens[last] {
      var length = 1
      while length < lengths.upperBound, length <= end, tokens[end - length] == tokens[last - length] { length += 1 }
      if length >= lengths.lowerBound, length > best?.length ?? 0 { best = (length, end + 1) }
      if length == lengths.upperBound { break }
    }
    guard let best else { return [] }
    return Array(tokens[best.next...].prefix(window))
  }
}
