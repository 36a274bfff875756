import Testing
import Tokenization

@Suite struct TokenizerParityTests {
  @Test(arguments: GoldenFiles.names + GoldenFiles.pieceNames + [GoldenFiles.reference])
  func `encoding gives the ids that tokenizers gives`(
    name: String
  ) throws {
    let tokenizer = try GoldenFiles.tokenizer(name)
    let rows = try GoldenFiles.encodings(name)
    #expect(rows.count >= 1000)
    for row in rows {
      let tokens = tokenizer.encode(row.text)
      if tokens != row.tokens {
        Issue.record("\(name): \(row.text.debugDescription) became \(tokens), expected \(row.tokens)")
      }
      let plainTokens = tokenizer.encode(row.text, parsesSpecialTokens: false)
      if plainTokens != row.plainTokens {
        Issue.record(
          "\(name): \(row.text.debugDescription), special tokens as text, became \(plainTokens), expected \(row.plainTokens)"
        )
      }
    }
  }

  @Test(arguments: GoldenFiles.names + GoldenFiles.pieceNames + [GoldenFiles.reference])
  func `decoding gives the text that tokenizers gives`(
    name: String
  ) throws {
    let tokenizer = try GoldenFiles.tokenizer(name)
    for row in try GoldenFiles.decodings(name) {
      let text = tokenizer.decode(row.tokens)
      #expect(Array(text.utf8) == Array(row.text.utf8), "\(name): \(row.tokens)")
      let shorter = tokenizer.decode(row.tokens, skipsSpecialTokens: true)
      #expect(Array(shorter.utf8) == Array(row.textWithoutSpecialTokens.utf8), "\(name): \(row.tokens)")
    }
  }

  @Test func `tokenizers of bytes and of characters are told apart`() throws {
    for name in GoldenFiles.names + [GoldenFiles.reference] {
      #expect(try GoldenFiles.tokenizer(name).isByteLevel, "\(name)")
    }
    for name in GoldenFiles.pieceNames { #expect(try !GoldenFiles.tokenizer(name).isByteLevel, "\(name)") }
    #expect(try !Tokenizer(try PieceListsTests.lists("plain"), file: "model.gguf").isByteLevel)
  }

  @Test(arguments: GoldenFiles.names + GoldenFiles.pieceNames)
  func `the bytes of tokens one after the other are the decoded text`(
    name: String
  ) throws {
    let tokenizer = try GoldenFiles.tokenizer(name)
    for row in try GoldenFiles.decodings(name) {
      let bytes = row.tokens.flatMap { tokenizer.bytes(of: $0) ?? [] }
      let text = tokenizer.decode(row.tokens, continuesText: true)
      #expect(Array(String(decoding: bytes, as: UTF8.self).utf8) == Array(text.utf8))
      // Some tokenizers put a space before a text, which decoding leaves out again.
      // Some tokenizers put a space before a text, which decoding leaves out again.
      #expect(GoldenFiles.pieceNames.contains(name) || text == row.text)
    }
  }
}
