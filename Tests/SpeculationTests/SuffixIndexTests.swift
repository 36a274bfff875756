import Decoding
import Speculation
import TestSupport
import Testing
import Tokenization

@Suite struct SuffixIndexTests {
  /// What a search through all earlier occurrences of the last `matched` tokens finds.
  static func expected(_ tokens: [TokenID], matched: Int) -> [TokenID: Int] {
    var followers: [TokenID: Int] = [:]
    let end = Array(tokens.suffix(matched))
    for start in 0..<max(0, tokens.count - matched) where Array(tokens[start..<start + matched]) == end {
      followers[tokens[start + matched], default: 0] += 1
    }
    return followers
  }

  @Test(
    "a continuation is what most often followed the longest believable match", arguments: 1...20 as ClosedRange<UInt64>)
  func agreesWithSearch(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var index = SuffixIndex(depth: 8)
    var cursor = SuffixIndex.Cursor()
    var tokens: [TokenID] = []
    for _ in 0..<120 {
      let token = TokenID.random(in: 0..<4, using: &generator)
      tokens.append(token)
      index.append(token, at: &cursor)
      let found = index.continuation(at: cursor, limit: 3, factor: 1, leastProbability: 0)
      guard found.matched > 0 else { continue }
      let followers = Self.expected(tokens, matched: found.matched)
      let most = followers.values.max() ?? 0
      #expect(followers[found.tokens[0]] == most)
      #expect(abs(found.shares[0] - Double(most) / Double(followers.values.reduce(0, +))) < 1e-12)
      #expect(found.tokens.count <= min(3, found.matched))
    }
  }

  @Test("a cursor that only follows finds the same runs as one that adds")
  func following() {
    var generator = SeededGenerator(seed: 3)
    let text = (0..<200).map { _ in TokenID.random(in: 0..<3, using: &generator) }
    var index = SuffixIndex(depth: 10)
    var writer = SuffixIndex.Cursor()
    for token in text { index.append(token, at: &writer) }
    var reader = SuffixIndex.Cursor()
    for (place, token) in text.enumerated() {
      index.follow(token, with: &reader)
      #expect(reader.matched == min(place + 1, 10))
    }
    index.follow(99, with: &reader)
    #expect(reader.matched == 0)
  }

  @Test("past answers are proposed to later requests, and forgotten in time")
  func pastAnswers() {
    var settings = SuffixProposer.Settings()
    settings.cachedRequests = 4
    let proposer = SuffixProposer(settings: settings)
    func propose(_ request: Int, _ tokens: [TokenID]) -> [TokenID] {
      let context = ProposalContext(
        request: RequestID(request), tokens: tokens, promptCount: 2, window: 5,
        sampler: Sampler(SamplingParameters()), counts: TokenCounts(prompt: []))
      return proposer.propose(for: [context], in: PassOutline(rows: 1))[0].tokens
    }
    #expect(propose(1, [1, 2, 10, 11, 12, 13, 14, 15]).isEmpty)
    proposer.forget(RequestID(1))
    #expect(propose(2, [7, 8, 10, 11, 12]) == [13, 14, 15])
    proposer.forget(RequestID(2))
    for request in 3..<8 {
      _ = propose(request, [1, 2, TokenID(100 + request)])
      proposer.forget(RequestID(request))
    }
    #expect(propose(9, [7, 8, 10, 11, 12]).isEmpty)
  }
}
