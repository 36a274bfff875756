import Decoding
import Inference
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

  @Test("continuations are those of a trie that keeps every run", arguments: 1...20 as ClosedRange<UInt64>)
  func agreesWithWholeTrie(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var (index, whole) = (SuffixIndex(depth: 7), WholeTrie(depth: 7))
    for _ in 0..<6 {
      var (cursor, ends) = (SuffixIndex.Cursor(), [[TokenID]]())
      let letters: TokenID = seed.isMultiple(of: 2) ? 3 : 12
      for _ in 0..<40 {
        let token = TokenID.random(in: 0..<letters, using: &generator)
        index.append(token, at: &cursor)
        whole.append(token, &ends)
        let found = index.continuation(at: cursor, limit: 4, factor: 1.5, leastProbability: 0.1)
        let expected = whole.continuation(ends, limit: 4, factor: 1.5, leastProbability: 0.1)
        #expect(found.tokens == expected.tokens && abs(found.score - expected.score) < 1e-12)
      }
      index.endSequence()
    }
  }

  /// The same counts, kept by run in a dictionary.
  struct WholeTrie {
    let depth: Int
    var counts: [[TokenID]: Int] = [:]
    var likeliest: [[TokenID]: TokenID] = [:]
    var followed: [[TokenID]: Int] = [:]

    init(depth: Int) { self.depth = depth }

    mutating func append(_ token: TokenID, _ ends: inout [[TokenID]]) {
      let runs = [[]] + ends.filter { $0.count < depth }
      ends = runs.map { $0 + [token] }
      for (run, longer) in zip(runs, ends) {
        counts[longer, default: 0] += 1
        followed[run, default: 0] += 1
        let best = likeliest[run].map { counts[run + [$0], default: 0] } ?? 0
        if counts[longer, default: 0] >= best { likeliest[run] = token }
      }
    }

    func continuation(
      _ ends: [[TokenID]], limit: Int, factor: Double, leastProbability: Double
    ) -> (tokens: [TokenID], score: Double) {
      var best: (tokens: [TokenID], score: Double) = ([], 0)
      for end in ends.reversed() {
        var (run, tokens, survival, score) = (end, [TokenID](), 1.0, 0.0)
        while tokens.count < min(limit, Int(Double(end.count) * factor)), let token = likeliest[run] {
          survival *= Double(counts[run + [token], default: 0]) / Double(followed[run, default: 1])
          guard survival >= leastProbability else { break }
          tokens.append(token)
          score += survival
          run += [token]
        }
        if score > best.score { best = (tokens, score) }
      }
      return best
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
