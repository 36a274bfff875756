import Foundation
import TestSupport
import Testing
import Tokenization

@Suite struct CompositionTests {
  /// A tokenizer of single bytes that composes.
  private static func tokenizer() throws -> Tokenizer {
    // GPT-2's alphabet: printable bytes stand for themselves, the others for characters from U+0100 on.
    var vocabulary: [String] = []
    var next: UInt32 = 256
    for byte in UInt32(0)...255 {
      let isPrintable = 33...126 ~= byte || 161...172 ~= byte || 174...255 ~= byte
      let scalar = Unicode.Scalar(isPrintable ? byte : next).map(Character.init) ?? "?"
      if !isPrintable { next += 1 }
      let text = scalar == "\"" || scalar == "\\" ? "\\\(scalar)" : "\(scalar)"
      vocabulary.append("\"\(text)\":\(byte)")
    }
    return try TokenizerFileTests.load(
      """
      {"version":"1.0","added_tokens":[],"normalizer":{"type":"NFC"},
      "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"decoder":{"type":"ByteLevel"},
      "model":{"type":"BPE","vocab":{\(vocabulary.joined(separator: ","))},"merges":[]}}
      """)
  }

  private static func composed(_ text: String, by tokenizer: Tokenizer) -> [UInt8] {
    tokenizer.encode(text).map { UInt8(truncatingIfNeeded: $0) }
  }

  @Test func `long sequences of marks come in their order, as short ones do`() throws {
    let tokenizer = try Self.tokenizer()
    // Acute and grave below in turns: those below come first, and an acute composes with the letter across them.
    let text = "a" + String(repeating: "\u{316}\u{301}", count: 500)
    let expected =
      "\u{E1}" + String(repeating: "\u{316}", count: 500) + String(repeating: "\u{301}", count: 499)
    #expect(Self.composed(text, by: tokenizer) == Array(expected.utf8))
  }

  @Test func `texts of any scripts are composed as Foundation composes them, whole or in pieces`() throws {
    let tokenizer = try Self.tokenizer()
    let alphabet = Array(
      "aeoAE \u{316}\u{301}\u{323}\u{345}\u{313}\u{300}\u{3B1}\u{3C9}\u{9C7}\u{9BE}\u{9D7}\u{B47}\u{B3E}\u{1100}\u{1161}\u{11A8}\u{304B}\u{3099}\u{F71}\u{5D0}\u{5B0}\u{5BC}"
        .unicodeScalars)
    var generator = SeededGenerator(seed: 16)
    for length in [1, 2, 3, 5, 8, 40, 300, 700, 1_500] {
      for _ in 0..<(length < 100 ? 200 : 6) {
        var text = String.UnicodeScalarView()
        for _ in 0..<length { text.append(alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]) }
        let expected = String(text).precomposedStringWithCanonicalMapping
        #expect(Self.composed(String(text), by: tokenizer) == Array(expected.utf8), "\(Array(text))")
      }
    }
  }

  @Test func `megabytes of marks, of letters with marks and of syllables are composed`() throws {
    let tokenizer = try Self.tokenizer()
    let cases = [
      ("\u{316}\u{301}", 400_000), ("\u{3B1}\u{313}\u{300}\u{345}", 100_000), ("\u{1100}\u{1161}\u{11A8}", 150_000),
      ("\u{F71}\u{F72}", 200_000), ("\u{9C7}\u{9BE}", 150_000),
    ]
    for (text, count) in cases {
      let bytes = Self.composed("\u{3B1}" + String(repeating: text, count: count), by: tokenizer)
      #expect(!bytes.isEmpty && bytes.count <= 2 + text.utf8.count * count)
    }
  }

  @Test func `a text of more bytes than the tokens of a context can hold is known without encoding it`() throws {
    let tokenizer = try Self.tokenizer()
    #expect(tokenizer.mostBytes(ofTokens: 10) == 30, "composition makes one byte of three at most")
    #expect(tokenizer.mostBytes(ofTokens: .max) == nil)
    let small = try TokenizerFileTests.load(TokenizerFileTests.good)
    #expect(small.mostBytes(ofTokens: 10) == nil, "a vocabulary without most bytes drops them")
    let budget = WorkBudget(steps: .max)
    #expect(tokenizer.encode("abc", budget: budget) == tokenizer.encode("abc"))
    budget.cancel()
    #expect(tokenizer.encode("abc", budget: budget) == nil)
  }
}
