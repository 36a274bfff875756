import Foundation
import TestSupport
import Testing
import Tokenization

@Suite struct TokenizerFileTests {
  static let good = """
    {"version":"1.0","added_tokens":[{"id":3,"content":"<e>","special":true}],"normalizer":null,
    "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"decoder":{"type":"ByteLevel"},
    "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}
    """

  static func load(_ text: String) throws -> Tokenizer {
    try Tokenizer(tokenizer: Array(text.utf8), file: "dir/tokenizer.json")
  }

  @Test func `a small file loads and encodes`() throws {
    let tokenizer = try Self.load(Self.good)
    #expect(tokenizer.encode("abba<e>") == [2, 1, 0, 3])
    #expect(tokenizer.vocabularySize == 4)
    #expect(tokenizer.isSpecial(3) && !tokenizer.isSpecial(2) && !tokenizer.isSpecial(-1))
    #expect(tokenizer.text(of: 2) == "ab" && tokenizer.text(of: 9) == nil)
    #expect(tokenizer.bytes(of: 4) == nil && tokenizer.bytes(of: .min) == nil && tokenizer.bytes(of: .max) == nil)
    #expect(tokenizer.id(of: "<e>") == 3 && tokenizer.id(of: "nothing") == nil)
  }

  @Test(arguments: [
    (#""a":0,"b":1"#, #""a":1099511627776,"b":1"#, "1099511627776"),
    (#""a":0,"b":1"#, #""a":-1,"b":1"#, "-1"),
    (#""a":0,"b":1"#, #""a":0.5,"b":1"#, "integer"),
    (#""a":0,"b":1"#, #""a":"0","b":1"#, "a number"),
    (#""a":0,"b":1"#, #""a":0,"b":0"#, "id 0 for both 'a' and 'b'"),
    (#""a":0,"b":1"#, #""a":0,"a":5,"b":1"#, "'a' twice"),
    (#""a":0,"b":1"#, #""a":99999999999999999999,"b":1"#, "integer"),
    (#","merges":["a b"]"#, "", "model.merges is missing"),
    (#""merges":["a b"]"#, #""merges":{"a":"b"}"#, "an array"),
    (#"["a b"]"#, #"["a c"]"#, "'c', which is not in the vocabulary"),
    (#"["a b"]"#, #"["b a"]"#, "'ba', which is not in the vocabulary"),
    (#"["a b"]"#, #"["ab"]"#, "model.merges[0] is 'ab'"),
    (#"["a b"]"#, #"[["a","b","a"]]"#, "a list of 3 strings"),
    (#"["a b"]"#, #"[7]"#, "a string"),
    (#""vocab":{"a":0,"b":1,"ab":2}"#, #""vocab":{}"#, "model.vocab is empty"),
    (#""type":"BPE""#, #""type":"Unigram""#, "'Unigram'"),
    (#""type":"BPE""#, #""type":"BPE","dropout":0.1"#, "dropout"),
    (#""type":"BPE""#, #""type":"BPE","byte_fallback":true"#, "no token for byte"),
    (#""type":"BPE""#, #""type":"BPE","end_of_word_suffix":"</w>""#, "'</w>'"),
    (#""normalizer":null"#, #""normalizer":{"type":"NFKC"}"#, "'NFKC'"),
    (#""normalizer":null"#, #""normalizer":{"type":"Prepend"}"#, "without 'prepend'"),
    (#""normalizer":null"#, #""normalizer":{"type":"Replace","pattern":{},"content":""}"#, "neither 'Regex' nor"),
    (#""normalizer":null"#, #""normalizer":{"type":"Replace","pattern":{"Regex":"("}}"#, "does not compile"),
    (#"{"type":"ByteLevel","add_prefix_space":false}"#, #"{"type":"Metaspace"}"#, "the replacement ''"),
    (
      #"{"type":"ByteLevel","add_prefix_space":false}"#, #"{"type":"Metaspace","replacement":"ab"}"#,
      "the replacement 'ab'"
    ),
    (
      #"{"type":"ByteLevel","add_prefix_space":false}"#,
      #"{"type":"Metaspace","replacement":"_","prepend_scheme":"last"}"#, "'last', expected one of always, first, never"
    ),
    (#"{"type":"ByteLevel","add_prefix_space":false}"#, "null", "without a ByteLevel step"),
    (#""decoder":{"type":"ByteLevel"}"#, #""decoder":{"type":"Fuse"}"#, "decoder is without ByteLevel"),
    (#""decoder":{"type":"ByteLevel"}"#, #""decoder":null"#, "decoder is without ByteLevel"),
    (#""decoder":{"type":"ByteLevel"}"#, #""decoder":{"type":"WordPiece"}"#, "'WordPiece'"),
    (#""decoder":{"type":"ByteLevel"}"#, #""decoder":{"type":"Strip","content":" ","start":1}"#, "without Fuse"),
    (#""decoder":{"type":"ByteLevel"}"#, #""decoder":{"type":"Strip","content":"","start":1}"#, "the content ''"),
    (#""id":3,"content":"<e>""#, #""id":3"#, "without 'content'"),
    (#""id":3,"content":"<e>""#, #""id":1,"content":"<e>""#, "the id 1 for both"),
    (#""id":3,"content":"<e>""#, #""id":3,"content":"ab""#, "the id 2"),
    (#""version":"1.0""#, #""version":"2.0""#, "'2.0'"),
    (#""version":"1.0""#, #""version":"\ud800""#, "surrogate"),
  ]) func `a damaged file is refused with the fact and the file named`(
    part: String, damage: String, fact: String
  ) throws {
    #expect(Self.good.contains(part))
    let error = try #require(throws: TokenizerError.self) {
      try Self.load(Self.good.replacingOccurrences(of: part, with: damage))
    }
    #expect("\(error)".contains("dir/tokenizer.json"))
    #expect("\(error)".contains(fact), "\(error)")
  }

  @Test(arguments: [
    "(?<name>a)", "[a[bc]]", "[a&&b]", #"\w+"#, #"\h"#, "a{,3}", "a{2}+", "(?m:a)", "(*UTF)a", #"a\"#, "[", "(",
    #"\p{Nothing}"#, "a**",
  ]) func `a pattern that PCRE2 would read otherwise or not at all is refused`(pattern: String) throws {
    let split =
      #"{"type":"Split","pattern":{"Regex":\#(String(data: try JSONEncoder().encode(pattern), encoding: .utf8) ?? "")},"behavior":"Isolated"}"#
    let level = #"{"type":"ByteLevel","add_prefix_space":false}"#
    let file = Self.good.replacingOccurrences(
      of: level, with: #"{"type":"Sequence","pretokenizers":[\#(split),\#(level)]}"#)
    #expect(throws: TokenizerError.self) { try Self.load(file) }
  }

  @Test func `deep, truncated and empty JSON is refused`() {
    for text in [
      "", "[", "null", "{}", String(repeating: "[", count: 1_000_000), String(repeating: #"{"a":"#, count: 1_000_000),
      "\u{0}",
    ] {
      #expect(throws: TokenizerError.self) { try Self.load(text) }
    }
    #expect(throws: TokenizerError.self) { try Tokenizer(tokenizer: [0x7B, 0xFF, 0x7D], file: "f") }
  }

  @Test func `a directory without a tokenizer names the missing file`() throws {
    let error = try #require(throws: TokenizerError.self) { try Tokenizer(directory: "/nonexistent") }
    #expect("\(error)" == "/nonexistent/tokenizer.json cannot be read: there is no such file.")
  }

  /// Changes of every kind, from fixed seeds: a file either is refused or gives a tokenizer that works.
  @Test(arguments: ["qwen", "llama", "gpt2", "splits", "llama2", "mistral", "unknown-split"])
  func `no damage to a tokenizer file crashes`(
    name: String
  ) throws {
    var random = SeededGenerator(seed: UInt64(name.utf8.count))
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: "\(GoldenFiles.directory(name))/tokenizer.json")))
    // Everything around the vocabulary is in the first and last kilobytes, so half of the changes are made there.
    let values = ["null", "-1", "1e999", "1099511627776", "\"\"", "[]", "{}", "true", "\"\\ud83d\"", "[[[[]]]]", "0"]
      .map { Array($0.utf8) }
    var loaded = 0
    for _ in 0..<300 {
      var damaged = bytes
      for _ in 0...Int.random(in: 0..<3, using: &random) {
        let place =
          Int.random(in: 0..<2, using: &random) == 0
          ? Int.random(in: 0..<min(2500, damaged.count), using: &random)
          : Int.random(in: 0..<damaged.count, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: damaged[place] = UInt8(Int.random(in: 0..<256, using: &random))
        case 1: damaged[place] ^= UInt8(1 << Int.random(in: 0..<8, using: &random))
        case 2: damaged.removeSubrange(place..<min(damaged.count, place + 1 + Int.random(in: 0..<40, using: &random)))
        case 3: damaged.insert(contentsOf: values[Int.random(in: 0..<values.count, using: &random)], at: place)
        case 4:
          // A value takes the place of another.
          guard let colon = damaged[place...].firstIndex(of: UInt8(ascii: ":")) else { continue }
          let end =
            damaged[colon...].firstIndex { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "}") } ?? damaged.endIndex
          damaged.replaceSubrange((colon + 1)..<end, with: values[Int.random(in: 0..<values.count, using: &random)])
        default:
          damaged.removeSubrange(
            (Int.random(in: 0..<4, using: &random) == 0
              ? place : damaged.count - 1 - Int.random(in: 0..<3, using: &random))...)
        }
        if damaged.isEmpty { damaged = [0] }
      }
      do {
        let tokenizer = try Tokenizer(tokenizer: damaged, file: "tokenizer.json")
        loaded += 1
        let text = "Hello  world\n<|im_end|> don't 123 é\u{301} 字 {\"a\": 1}   \t"
        for addsSpecialTokens in [false, true] {
          let tokens = tokenizer.encode(text, addsSpecialTokens: addsSpecialTokens)
          _ = tokenizer.decode(tokens, skipsSpecialTokens: addsSpecialTokens)
        }
        _ = tokenizer.decode(-2..<TokenID(min(tokenizer.vocabularySize, 3000)))
      } catch {
        #expect(!"\(error)".isEmpty)
      }
    }
    // The changes are neither all harmless nor all fatal.
    #expect(loaded > 0 && loaded < 300)
  }
}
