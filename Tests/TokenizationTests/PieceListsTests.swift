import Foundation
import Testing
import Tokenization

/// Tokenizers from the lists of pieces and scores that GGUF files have, against `sentencepiece` itself.
@Suite struct PieceListsTests {
  /// `Tests/Golden/pieces.py` writes these.
  private struct Lists: Decodable {
    let tokens: [String]
    let scores: [Float]
    let types: [Int]
  }

  static func lists(_ name: String) throws -> TokenLists {
    let file = URL(fileURLWithPath: GoldenFiles.directory("lists-\(name)") + "/lists.json")
    let lists = try JSONDecoder().decode(Lists.self, from: try Data(contentsOf: file))
    let kinds: [Int: TokenLists.Kind] = [1: .normal, 2: .unknown, 3: .control, 4: .userDefined, 5: .unused, 6: .byte]
    var result = TokenLists(
      tokens: lists.tokens.map { Array($0.utf8) }, kinds: try lists.types.map { try #require(kinds[$0]) }, merges: [],
      preTokenizer: "")
    result.algorithm = .scores(lists.scores, prependsSpace: name == "prefix")
    result.beginOfText = 1
    result.endOfText = 2
    return result
  }

  @Test(arguments: ["prefix", "plain"]) func `scores give the pieces that sentencepiece gives`(name: String) throws {
    let tokenizer = try Tokenizer(try Self.lists(name), file: "model.gguf")
    let rows = try GoldenFiles.encodings("lists-\(name)")
    #expect(rows.count > 1000)
    for row in rows {
      let tokens = tokenizer.encode(row.text, parsesSpecialTokens: false)
      #expect(tokens == row.tokens, "\(row.text.debugDescription)")
      #expect(tokenizer.decode(tokens) == row.text, "\(row.text.debugDescription)")
    }
  }

  @Test func `special tokens are found where they count, and text never becomes one`() throws {
    var lists = try Self.lists("prefix")
    let tokenizer = try Tokenizer(lists, file: "model.gguf")
    #expect(tokenizer.encode("<s>", addsSpecialTokens: true) == [1, 1])
    #expect(!tokenizer.encode("<s></s><unk>", parsesSpecialTokens: false).contains { (0...2).contains($0) })
    #expect(tokenizer.encode("", addsSpecialTokens: true) == [1])
    // Every stretch of text has its space.
    #expect(tokenizer.encode("a</s>a") == tokenizer.encode("a") + [2] + tokenizer.encode("a"))
    #expect(tokenizer.encodeContinuation(" a") == tokenizer.encode("a"))
    #expect(tokenizer.decode([1] + tokenizer.encode("a")) == "<s> a")
    #expect(tokenizer.decode([1] + tokenizer.encode("a"), skipsSpecialTokens: true) == "a")
    #expect(tokenizer.decode(tokenizer.encode("a"), continuesText: true) == " a")
    lists.controlsStripRight = true
    let stripping = try Tokenizer(lists, file: "model.gguf")
    #expect(stripping.encode("</s> \n a") == stripping.encode("</s>a"))
  }

  @Test func `a text of a million characters without spaces takes no longer than its length asks for`() throws {
    for name in ["prefix", "plain"] {
      let tokenizer = try Tokenizer(try Self.lists(name), file: "model.gguf")
      for text in [String(repeating: "a", count: 1_000_000), String(repeating: "the", count: 300_000) + "字"] {
        #expect(tokenizer.decode(tokenizer.encode(text)) == text)
      }
    }
  }

  static let faults: [(change: @Sendable (inout TokenLists) -> Void, says: String)] = [
    ({ $0.algorithm = .scores([1, 2], prependsSpace: true) }, "2 scores of 1400 tokens"),
    (
      { $0.algorithm = .scores(.init(repeating: .nan, count: 1400), prependsSpace: true) }, "one that is no number"
    ),
    ({ $0.kinds[20] = .unused }, "with tokens of 255 bytes"),
    ({ $0.tokens[700] = $0.tokens[701] }, "tokenizer.ggml.tokens[701] is the text"),
    ({ $0.beginOfText = 1_000_000 }, "1000000"),
    ({ $0.algorithm = .characters }, "tokenizer.ggml.merges[0]"),
  ]

  @Test(arguments: faults.indices) func `lists that do not fit together are named`(index: Int) throws {
    var lists = try Self.lists("prefix")
    lists.merges = [Array("zzz qqq".utf8)]
    Self.faults[index].change(&lists)
    let error = #expect(throws: TokenizerError.self) { try Tokenizer(lists, file: "model.gguf") }
    #expect(error?.description.contains(Self.faults[index].says) == true, "\(error?.description ?? "no error")")
  }
}
