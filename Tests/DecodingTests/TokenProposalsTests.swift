import Decoding
import Testing

/// What is said to have been proposed at a token's place.
@Suite struct TokenProposalsTests {
  private static func entries(_ proposals: TokenProposals) -> [String] {
    proposals.entries.map { "\($0.origin.rawValue):\($0.token)" }
  }

  @Test("who was right, who would have been, and what was named instead")
  func everyone() {
    // The draft's first two stood, its third did not; the index knew the first and then went another way.
    let proposal = Proposal(tokens: [1, 2, 9], origin: .draftModel)
    let offers = [Proposal(tokens: [1, 7, 3], origin: .suffix), Proposal(tokens: [1, 2, 9, 4], origin: .draftModel)]
    let verified: [Int32] = [1, 2, 3]
    let found = verified.indices.map {
      TokenProposals(at: $0, of: verified, proposal: proposal, offers: offers)
    }
    #expect(
      found.map(Self.entries) == [["draft_model:1", "suffix:1"], ["draft_model:2", "suffix:7"], ["draft_model:9"]])
    #expect(found.map(\.window) == [3, 3, 3] && found.map(\.position) == [0, 1, 2])
  }

  @Test("offers that were not checked are named, and cut ones beyond what was checked")
  func unused() {
    let plain = TokenProposals(
      at: 0, of: [5], proposal: Proposal(origin: .target), offers: [Proposal(tokens: [5, 6], origin: .suffix)])
    #expect(plain.window == 0 && Self.entries(plain) == ["suffix:5"])
    let cut = TokenProposals(
      at: 1, of: [5, 6], proposal: Proposal(tokens: [5], origin: .draftModel),
      offers: [Proposal(tokens: [5, 6], origin: .draftModel)])
    #expect(cut.window == 1 && Self.entries(cut) == ["draft_model:6"])
  }

  @Test("what the form foresaw is the form's, and proposers go on after it")
  func foreseen() {
    let proposal = Proposal(tokens: [1, 2, 3], origin: .suffix, forcedCount: 2)
    let offers = [Proposal(tokens: [3], origin: .suffix), Proposal(tokens: [4], origin: .draftModel)]
    let verified: [Int32] = [1, 2, 3, 8]
    let found = verified.indices.map {
      Self.entries(TokenProposals(at: $0, of: verified, proposal: proposal, offers: offers))
    }
    #expect(found == [["grammar:1"], ["grammar:2"], ["suffix:3", "draft_model:4"], []])
  }
}
