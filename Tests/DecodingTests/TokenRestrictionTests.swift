import Decoding
import Testing
import Tokenization

@Suite struct TokenRestrictionTests {
  /// Allows what it is told to.
  private struct Fixed: TokenConstraint {
    var masks: [[TokenID]]
    func next(within work: inout ConstraintWork) -> NextTokens {
      var mask = TokenMask(vocabularySize: 100)
      for token in masks.first ?? [] { mask.insert(token) }
      return .only(mask)
    }
    mutating func advance(by token: TokenID) { masks = Array(masks.dropFirst()) }
    func forcedContinuation(maximum: Int, within work: inout ConstraintWork) -> [TokenID] {
      Array(masks.prefix { $0.count == 1 }.compactMap(\.first).prefix(maximum))
    }
  }

  private func tokens(_ constraint: some TokenConstraint) -> [TokenID] {
    (0..<100).filter { constraint.mask?.contains($0) ?? true }
  }

  @Test("only allowed tokens come")
  func allowed() {
    let restriction = TokenRestriction(allowed: [3, 64, 99], sequences: [], vocabularySize: 100)
    #expect(tokens(restriction) == [3, 64, 99])
  }

  @Test("a sequence of one token never comes, a longer one is not completed, wherever it begins")
  func sequences() {
    var restriction = TokenRestriction(allowed: nil, sequences: [[5], [1, 2, 1, 3]], vocabularySize: 100)
    for token: TokenID in [1, 2, 1, 2, 1] {
      #expect(!tokens(restriction).contains(5))
      restriction.advance(by: token)
    }
    #expect(!tokens(restriction).contains(3) && tokens(restriction).contains(2))
    restriction.advance(by: 4)
    #expect(tokens(restriction).contains(3))
  }

  @Test("beside another constraint both hold, and where nothing is left, the other one")
  func both() {
    var restriction = TokenRestriction(
      allowed: [1, 2, 3], sequences: [], vocabularySize: 100, beside: Fixed(masks: [[2, 7], [8, 9], [1]]))
    #expect(tokens(restriction) == [2])
    restriction.advance(by: 2)
    #expect(tokens(restriction) == [8, 9])
    restriction.advance(by: 8)
    #expect(tokens(restriction) == [1])
  }

  @Test("what is foreseen stops before what must not come")
  func foreseen() {
    let fixed = Fixed(masks: [[1], [2], [3], [4]])
    #expect(
      TokenRestriction(allowed: nil, sequences: [[9, 9]], vocabularySize: 100, beside: fixed)
        .forcedContinuation(maximum: 3) == [1, 2, 3])
    // The other constraint has the last word where it leaves nothing else.
    #expect(
      TokenRestriction(allowed: nil, sequences: [[2, 3]], vocabularySize: 100, beside: fixed)
        .forcedContinuation(maximum: 4) == [1, 2, 3, 4])
    #expect(
      TokenRestriction(allowed: [5], sequences: [], vocabularySize: 100).forcedContinuation(maximum: 4).isEmpty)
  }
}
