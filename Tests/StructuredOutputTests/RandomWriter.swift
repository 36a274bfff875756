import Decoding
import StructuredOutput
import TestSupport
import Tokenization

/// A model that writes nonsense: any token that the constraint allows.
struct RandomWriter {
  let tokenizer: Tokenizer
  let compiler: ConstraintCompiler
  /// Tokens that tend to bring a text to its end.
  private let closers: [TokenID]

  init() throws {
    tokenizer = try Tokenizer(directory: Places.target)
    compiler = try ConstraintCompiler(tokenizer, endTokens: [8191, 8189])
    let tokenizer = tokenizer
    closers = ["\"", "}", "]", "\"}", "\"]", "0", "1", ".", "5", ":", "-"].compactMap { tokenizer.id(of: $0) }
  }

  /// Text that was complete when it ended; `nil` when it had not ended after `limit` tokens.
  func write(_ constraint: GrammarConstraint, seed: UInt64, limit: Int = 400) throws -> String? {
    var (constraint, generator) = (constraint, SeededGenerator(seed: seed))
    var tokens: [TokenID] = []
    for step in 0..<limit {
      guard let mask = constraint.mask else { throw Stuck(text: "any token would do") }
      guard mask.count > 0 else { throw Stuck(text: tokenizer.decode(tokens)) }
      let ends = compiler.vocabulary.endTokens.filter { mask.contains($0) }
      if let end = ends.first, mask.count == ends.count || step > 30 || Bool.random(using: &generator) {
        guard constraint.isComplete else { throw Stuck(text: tokenizer.decode(tokens)) }
        constraint.advance(by: end)
        return tokenizer.decode(tokens)
      }
      let allowed = closers.filter { mask.contains($0) }
      let token: TokenID
      if let closer = allowed.randomElement(using: &generator), Int.random(in: 0..<40, using: &generator) < step + 4 {
        token = closer
      } else {
        token = Self.pick(mask, size: tokenizer.vocabularySize, &generator)
        if compiler.vocabulary.endTokens.contains(token) { return tokenizer.decode(tokens) }
      }
      tokens.append(token)
      constraint.advance(by: token)
    }
    return nil
  }

  struct Stuck: Error {
    let text: String
  }

  private static func pick(_ mask: TokenMask, size: Int, _ generator: inout SeededGenerator) -> TokenID {
    var token = TokenID.random(in: 0..<TokenID(size), using: &generator)
    while !mask.contains(token) { token = (token + 1) % TokenID(size) }
    return token
  }
}
