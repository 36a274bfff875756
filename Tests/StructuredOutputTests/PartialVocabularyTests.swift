import Decoding
import JSON
import StructuredOutput
import TestSupport
import Testing
import Tokenization

/// Vocabularies that lack tokens for some bytes.
@Suite struct PartialVocabularyTests {
  /// The characters of `letters`, each a token; further tokens of several characters; and a token that ends a text.
  private func compiler(_ letters: String, words: [String] = []) throws -> (ConstraintCompiler, Tokenizer, TokenID) {
    let pieces = letters.utf8.map { byte -> String in
      // The byte-level alphabet has other letters for space and line break.
      byte == 0x20 ? "\u{120}" : byte == 0x0A ? "\u{10A}" : String(UnicodeScalar(byte))
    }
    var lists = TokenLists(
      tokens: (pieces + words + ["<end>"]).map { Array($0.utf8) },
      kinds: pieces.map { _ in .normal } + words.map { _ in .userDefined } + [.control], merges: [],
      preTokenizer: "gpt-2")
    let end = TokenID(pieces.count + words.count)
    lists.endOfText = end
    let tokenizer = try Tokenizer(lists, file: "f")
    return (try ConstraintCompiler(tokenizer, endTokens: [end]), tokenizer, end)
  }

  private static let ascii = String(decoding: Array(UInt8(0x20)...0x7E) + [0x0A], as: UTF8.self)

  @Test("answers keep to a form with the tokens that there are, and never get stuck")
  func writes() throws {
    let (compiler, tokenizer, end) = try compiler(Self.ascii, words: ["日", "本本", "\u{1F642}\""])
    let schema: JSONValue = [
      "type": "object",
      "properties": ["name": ["type": "string", "maxLength": 5], "tag": ["enum": ["日", "本", "x"]]],
      "required": ["name", "tag"],
    ]
    let validator = PlainValidator(root: schema)
    var texts: Set<String> = []
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<60 {
      var constraint = try compiler.jsonSchema(schema)
      var tokens: [TokenID] = []
      while tokens.count < 400 {
        let mask = try #require(constraint.mask)
        let allowed = (0...end).filter { mask.contains($0) }
        let token = try #require(allowed.randomElement(using: &generator), "\(tokenizer.decode(tokens))")
        if token == end { break }
        tokens.append(token)
        constraint.advance(by: token)
      }
      let text = tokenizer.decode(tokens)
      let isValid = validator.isValid(try JSONValue(parsing: text))
      #expect(constraint.isComplete && isValid, "\(text)")
      texts.insert(text)
    }
    // A letter that only a longer token has is written with that.
    #expect(texts.contains { $0.contains("\"日\"") } && !texts.contains { $0.contains("\"本\"") })
  }

  @Test("what no token can write is left out, and refused where nothing else is left")
  func deadEnds() throws {
    let (compiler, _, _) = try compiler(Self.ascii)
    var constraint = try compiler.choice(["日", "a"])
    #expect(constraint.mask?.count == 1)
    let isAllowed = constraint.advance(byText: "a")
    #expect(isAllowed && constraint.isComplete)
    let error = #expect(throws: ConstraintError.self) { try compiler.choice(["日", "本"]) }
    #expect(error?.message.contains("tokens") == true)
    // Without a quote there are no strings; booleans there are.
    let (quoteless, _, _) = try self.compiler(Self.ascii.replacing("\"", with: ""))
    #expect(throws: ConstraintError.self) { try quoteless.jsonSchema(#"{"type": "string"}"#) }
    var truth = try quoteless.jsonSchema(#"{"type": ["boolean", "string"]}"#)
    let isWritten = truth.advance(byText: "true")
    #expect(isWritten && truth.isComplete)
  }
}
