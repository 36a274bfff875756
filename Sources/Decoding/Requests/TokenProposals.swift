public import Tokenization

/// What was proposed at a token's place, right or wrong, by everyone who was asked.
public struct TokenProposals: Sendable, Equatable {
  /// One proposer's word.
  public struct Entry: Sendable, Equatable {
    /// Whose.
    public let origin: TokenOrigin
    /// What it named.
    public let token: TokenID
  }

  /// Tokens that the verification checked.
  public let window: Int
  /// The token's place in the verification: below the count of accepted tokens it was proposed, at it it is the target's own.
  public let position: Int
  /// At most one for each proposer. One whose proposal went another way before this place has no say here.
  public let entries: [Entry]

  /// What was proposed in place of `verified[position]`.
  ///
  /// - Parameters:
  ///   - verified: accepted proposals, then the target's token.
  ///   - proposal: what was checked.
  ///   - offers: what all proposers had, to go on after what the constraint foresaw.
  package init(at position: Int, of verified: [TokenID], proposal: Proposal, offers: [Proposal]) {
    window = proposal.tokens.count
    self.position = position
    var entries: [Entry] = []
    func add(_ tokens: some RandomAccessCollection<TokenID>, from first: Int, _ origin: TokenOrigin) {
      let before = position - first
      guard before >= 0, before < tokens.count, !entries.contains(where: { $0.origin == origin }),
        tokens.prefix(before).elementsEqual(verified[first..<position])
      else { return }
      entries.append(Entry(origin: origin, token: tokens[tokens.index(tokens.startIndex, offsetBy: before)]))
    }
    let forced = proposal.forcedCount
    add(proposal.tokens.prefix(forced), from: 0, .grammar)
    // What was checked is the beginning of an offer, or has none beside it.
    add(proposal.tokens.dropFirst(forced), from: forced, proposal.origin)
    for offer in offers { add(offer.tokens, from: forced, offer.origin) }
    self.entries = entries
  }
}
