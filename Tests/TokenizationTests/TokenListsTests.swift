import Foundation
import TestSupport
import Testing
import Tokenization

/// Tokenizers from the lists that GGUF files have.
@Suite struct TokenListsTests {
  /// The lists of a golden tokenizer, with the name that llama.cpp's converter gives its pre-tokenizer.
  static func lists(_ name: String, preTokenizer: String) throws -> TokenLists {
    let directory =
      name == GoldenFiles.reference ? Places.target : GoldenFiles.directory(name)
    let data = try Data(contentsOf: URL(fileURLWithPath: directory + "/tokenizer.json"))
    let file = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let size = try GoldenFiles.tokenizer(name).vocabularySize
    let lists = TokenizerLists(file, size: size + 7)
    return TokenLists(
      tokens: lists.tokens.map { Array($0.utf8) },
      kinds: lists.types.map { [1: .normal, 3: .control, 4: .userDefined][$0] ?? .unused },
      merges: lists.merges.map { Array($0.utf8) }, preTokenizer: preTokenizer)
  }

  @Test(
    "lists and a name give the tokens that tokenizer.json gives",
    arguments: [("qwen", "qwen2"), ("llama", "llama-bpe"), (GoldenFiles.reference, "qwen2")])
  func parity(name: String, preTokenizer: String) throws {
    let tokenizer = try Tokenizer(try Self.lists(name, preTokenizer: preTokenizer), file: "model.gguf")
    let original = try GoldenFiles.tokenizer(name)
    #expect(tokenizer.vocabularySize == original.vocabularySize)
    #expect(tokenizer.differences(from: original, limit: 1).isEmpty)
    // Files do not say that a token is looked for in normalized text, so texts with such a token are left out.
    let left = Set([original.id(of: "cafe\u{301} au lait")].compactMap { $0 })
    for row in try GoldenFiles.encodings(name) where left.isDisjoint(with: row.tokens) {
      #expect(tokenizer.encode(row.text) == row.tokens, "\(row.text.debugDescription)")
      #expect(tokenizer.encode(row.text, parsesSpecialTokens: false) == row.plainTokens, "\(row.text.debugDescription)")
    }
    for row in try GoldenFiles.decodings(name) where left.isDisjoint(with: row.tokens) {
      #expect(Array(tokenizer.decode(row.tokens).utf8) == Array(row.text.utf8))
      let shorter = tokenizer.decode(row.tokens, skipsSpecialTokens: true)
      #expect(Array(shorter.utf8) == Array(row.textWithoutSpecialTokens.utf8))
    }
  }

  @Test("GPT-2's pattern, and SmolLM's digits one by one before it")
  func patterns() throws {
    var lists = try Self.lists("qwen", preTokenizer: "gpt-2")
    let plain = try Tokenizer(lists, file: "model.gguf")
    lists.preTokenizer = "smollm"
    let digits = try Tokenizer(lists, file: "model.gguf")
    let text = "In 1984, they're 42 years old"
    for tokenizer in [plain, digits] { #expect(tokenizer.decode(tokenizer.encode(text)) == text) }
    func longest(_ tokenizer: Tokenizer) -> Int {
      tokenizer.encode("1111 2222").map { tokenizer.decode([$0]).filter(\.isNumber).count }.max() ?? 0
    }
    #expect(longest(digits) == 1)
  }

  @Test("a first token is added when the file says so, and for Llama 3 when it says nothing")
  func beginOfText() throws {
    var lists = try Self.lists("llama", preTokenizer: "llama-bpe")
    lists.beginOfText = 1504
    func prefix(_ adds: Bool?) throws -> [TokenID] {
      lists.addsBeginOfText = adds
      return Array(try Tokenizer(lists, file: "f").encode("Hello", addsSpecialTokens: true).prefix(1))
    }
    #expect(try prefix(nil) == [1504])
    #expect(try prefix(true) == [1504])
    #expect(try prefix(false) != [1504])
    #expect(try Tokenizer(lists, file: "f").beginOfTextToken == "<|begin_of_text|>")
    lists.preTokenizer = "qwen2"
    #expect(try prefix(nil) != [1504])
  }

  static let faults: [(change: @Sendable (inout TokenLists) -> Void, says: String)] = [
    ({ $0.preTokenizer = "klingon" }, "'klingon'; supported: dbrx, deepseek-r1-qwen, falcon3, gpt-2"),
    ({ $0.merges[3] = Array("onepart".utf8) }, "tokenizer.ggml.merges[3] is 'onepart'"),
    ({ $0.merges[3] = Array("a b c".utf8) }, "tokenizer.ggml.merges[3] is 'a b c'"),
    ({ $0.merges[3] = Array("zzqq b".utf8) }, "about 'zzqq', which is not in the vocabulary"),
    ({ $0.tokens[5] = $0.tokens[4] }, "tokenizer.ggml.tokens[5] is the text"),
    ({ $0.kinds.removeLast() }, "tokenizer.ggml.token_type"),
    ({ $0.beginOfText = 1_000_000 }, "1000000"),
    (
      {
        $0.tokens = []; $0.kinds = []
      }, "tokenizer.ggml.tokens is empty"
    ),
  ]

  @Test("lists that do not fit together are named", arguments: faults.indices)
  func damage(index: Int) throws {
    var lists = try Self.lists("qwen", preTokenizer: "qwen2")
    Self.faults[index].change(&lists)
    let error = #expect(throws: TokenizerError.self) { try Tokenizer(lists, file: "model.gguf") }
    #expect(error?.description.hasPrefix("model.gguf") == true)
    #expect(error?.description.contains(Self.faults[index].says) == true, "\(error?.description ?? "no error")")
  }
}
