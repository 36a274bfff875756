public import Decoding
internal import Tokenization

/// Suffix decoding: proposes what most often followed the sequence's last tokens, in the sequence itself and in past answers.
///
/// Costs no model. How much is proposed follows from how long the match is and how sure its continuation.
///
/// Source: Oliaro, Jia, Campos, Qiao, "SuffixDecoding: Extreme speculative decoding for emerging AI applications"
/// (2024).
public final class SuffixProposer: Proposer {
  /// Bounds of the search; names in comments are vLLM's.
  public struct Settings: Sendable, Equatable {
    /// Longest run that is indexed, match and continuation together (`suffix_decoding_max_tree_depth`).
    public var depth = 24
    /// Past answers that are remembered, about (`suffix_decoding_max_cached_requests`); 0 for none.
    public var cachedRequests = 10_000
    /// Tokens proposed per token matched (`suffix_decoding_max_spec_factor`).
    public var speculationFactor = 1.0
    /// Least probability of a whole continuation (`suffix_decoding_min_token_prob`).
    public var leastProbability = 0.1

    /// vLLM's defaults.
    public init() {}
  }

  /// One request's sequence, indexed.
  private final class IndexedSequence {
    var index: SuffixIndex
    var cursor = SuffixIndex.Cursor()
    /// Where the sequence stands in the past answers: the older, then the younger.
    var past = [SuffixIndex.Cursor(), SuffixIndex.Cursor()]
    var generation: Int
    let promptCount: Int

    init(depth: Int, generation: Int, promptCount: Int) {
      index = SuffixIndex(depth: depth)
      self.generation = generation
      self.promptCount = promptCount
    }
  }

  private let settings: Settings
  private var sequences: [RequestID: IndexedSequence] = [:]
  /// Past answers in two generations: when the younger is full, the older is forgotten.
  private var past: [SuffixIndex]
  private var youngerCount = 0
  private var generation = 0
  /// Runs in one generation, whatever the number of answers: about 20 MB.
  private static let mostNodes = 500_000

  /// A proposer that has seen nothing.
  public init(settings: Settings = Settings()) {
    self.settings = settings
    past = [SuffixIndex(depth: settings.depth), SuffixIndex(depth: settings.depth)]
  }

  /// What most often followed the sequences' last tokens.
  public func propose(for contexts: [ProposalContext], in pass: PassOutline) -> [Proposal] {
    contexts.map { context in
      let sequence = sequence(of: context)
      // What is foreseen may turn out otherwise: the cursors look ahead, and the index learns nothing of it.
      var (own, others) = (sequence.cursor, sequence.past)
      for token in context.tokens.suffix(context.foreseenCount) {
        sequence.index.follow(token, with: &own)
        follow(token, &others)
      }
      // The sequence itself speaks first: a past answer must promise more to be believed.
      var best = continuation(sequence.index, own, limit: context.window)
      for (index, cursor) in zip(past, others) {
        let found = continuation(index, cursor, limit: context.window)
        if found.score > best.score { best = found }
      }
      // What followed two equal words once is weak evidence; what followed twelve is not.
      let confidences = best.shares.enumerated().map { $1 * Double(best.matched + $0) / Double(best.matched + $0 + 1) }
      return Proposal(tokens: best.tokens, origin: .suffix, confidences: confidences)
    }
  }

  /// Remembers the answer for those to come.
  public func forget(_ request: RequestID) {
    guard let sequence = sequences.removeValue(forKey: request), settings.cachedRequests > 0 else { return }
    var cursor = SuffixIndex.Cursor()
    for token in sequence.index.tokens.dropFirst(sequence.promptCount) { past[1].append(token, at: &cursor) }
    past[1].endSequence()
    youngerCount += 1
    if youngerCount * 2 >= settings.cachedRequests || past[1].nodeCount >= Self.mostNodes {
      past = [past[1], SuffixIndex(depth: settings.depth)]
      youngerCount = 0
      generation += 1
    }
  }

  private func continuation(
    _ index: SuffixIndex, _ cursor: SuffixIndex.Cursor, limit: Int
  ) -> SuffixIndex.Continuation {
    index.continuation(
      at: cursor, limit: limit, factor: settings.speculationFactor, leastProbability: settings.leastProbability)
  }

  /// A request's sequence, with what it has grown by taken in.
  private func sequence(of context: ProposalContext) -> IndexedSequence {
    let sequence =
      sequences[context.request]
      ?? IndexedSequence(depth: settings.depth, generation: generation, promptCount: context.promptCount)
    sequences[context.request] = sequence
    if sequence.generation != generation {
      sequence.past = [SuffixIndex.Cursor(), SuffixIndex.Cursor()]
      sequence.generation = generation
      for token in sequence.index.tokens.suffix(settings.depth) { follow(token, &sequence.past) }
    }
    for token in context.tokens.dropLast(context.foreseenCount).dropFirst(sequence.index.tokens.count) {
      sequence.index.append(token, at: &sequence.cursor)
      follow(token, &sequence.past)
    }
    return sequence
  }

  private func follow(_ token: TokenID, _ cursors: inout [SuffixIndex.Cursor]) {
    for place in past.indices { past[place].follow(token, with: &cursors[place]) }
  }
}
