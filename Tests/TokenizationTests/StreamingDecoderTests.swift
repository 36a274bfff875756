import Testing
import Tokenization

@Suite struct StreamingDecoderTests {
  @Test(arguments: GoldenFiles.names + GoldenFiles.pieceNames, [false, true])
  func `the pieces of a stream make up the decoded text`(
    name: String, skipsSpecialTokens: Bool
  ) throws {
    let tokenizer = try GoldenFiles.tokenizer(name)
    let sequences =
      try GoldenFiles.decodings(name).map(\.tokens) + GoldenFiles.encodings(name).prefix(500).map(\.tokens)
    for tokens in sequences {
      var decoder = StreamingDecoder(tokenizer: tokenizer, skipsSpecialTokens: skipsSpecialTokens)
      var bytes: [UInt8] = []
      for token in tokens { bytes += Array(decoder.append(token).utf8) }
      bytes += Array(decoder.finish().utf8)
      #expect(bytes == Array(tokenizer.decode(tokens, skipsSpecialTokens: skipsSpecialTokens).utf8), "\(tokens)")
    }
  }

  @Test func `every pair and triple of interesting bytes streams as it decodes`() throws {
    let tokenizer = try GoldenFiles.tokenizer("qwen")
    let bytes: [UInt8] = [
      0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5,
      0xFF,
    ]
    let single = (0..<TokenID(tokenizer.vocabularySize)).filter { tokenizer.bytes(of: $0)?.count == 1 }
    let tokens = bytes.compactMap { byte in single.first { tokenizer.bytes(of: $0) == [byte] } }
    #expect(tokens.count == bytes.count)
    for first in tokens {
      for second in tokens {
        for third in tokens {
          for fourth in tokens.prefix(8) {
            let sequence = [first, second, third, fourth]
            var decoder = StreamingDecoder(tokenizer: tokenizer, skipsSpecialTokens: false)
            var streamed = sequence.flatMap { Array(decoder.append($0).utf8) }
            streamed += Array(decoder.finish().utf8)
            if streamed != Array(tokenizer.decode(sequence).utf8) { Issue.record("\(sequence)") }
          }
        }
      }
    }
  }

  @Test func `a character is held back until its last byte`() throws {
    let tokenizer = try GoldenFiles.tokenizer("qwen")
    let tokens = tokenizer.encode("\u{13000}")
    #expect(tokens.count > 1)
    var decoder = StreamingDecoder(tokenizer: tokenizer, skipsSpecialTokens: false)
    for token in tokens.dropLast() { #expect(decoder.append(token).isEmpty) }
    #expect(decoder.append(try #require(tokens.last)) == "\u{13000}")
    #expect(decoder.finish().isEmpty)
  }

  @Test func `a character that never completes ends as one replacement character`() throws {
    let tokenizer = try GoldenFiles.tokenizer("qwen")
    var decoder = StreamingDecoder(tokenizer: tokenizer, skipsSpecialTokens: false)
    #expect(decoder.append(try #require(tokenizer.encode("\u{13000}").first)).isEmpty)
    #expect(decoder.finish() == "\u{FFFD}")
  }
}
