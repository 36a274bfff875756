import Foundation
import Tokenization

/// The files that `Tests/Golden/tokenization.py` writes.
enum GoldenFiles {
  /// The tokenizers trained for the tests.
  static let names = ["qwen", "llama", "gpt2", "gpt2-prefix", "splits"]

  /// Those of pieces as SentencePiece has them, which `Tests/Golden/pieces.py` writes.
  static let pieceNames = ["llama2", "mistral", "gemma", "unknown-split", "unknown-whole"]

  /// The tokenizer of the shipped reference pair.
  static let reference = "reference"

  static let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  static func directory(_ name: String) -> String {
    repository.appendingPathComponent("Tests/Golden/tokenization/\(name)").path
  }

  static func tokenizer(_ name: String) throws -> Tokenizer {
    guard name == reference else { return try Tokenizer(directory: directory(name)) }
    return try Tokenizer(directory: repository.appendingPathComponent("Models/foretoken-reference-target").path)
  }

  static func rows<Row: Decodable>(_ name: String, _ file: String, as: Row.Type) throws -> [Row] {
    let data = try Data(contentsOf: URL(fileURLWithPath: "\(directory(name))/\(file)"))
    let decoder = JSONDecoder()
    return try data.split(separator: UInt8(ascii: "\n")).map { try decoder.decode(Row.self, from: $0) }
  }

  static func encodings(_ name: String) throws -> [Encoding] {
    try rows(name, "encodings.jsonl", as: Encoding.self)
  }

  static func decodings(_ name: String) throws -> [Decoding] {
    try rows(name, "decodings.jsonl", as: Decoding.self)
  }

  /// A text, its ids, and its ids when special tokens are taken as text.
  struct Encoding: Decodable {
    let text: String
    let tokens: [TokenID]
    let plainTokens: [TokenID]

    init(from decoder: any Decoder) throws {
      var row = try decoder.unkeyedContainer()
      text = try row.decode(String.self)
      tokens = try row.decode([TokenID].self)
      plainTokens = try row.isAtEnd ? tokens : row.decode([TokenID].self)
    }
  }

  /// Ids, their text, and their text without special tokens.
  struct Decoding: Decodable {
    let tokens: [TokenID]
    let text: String
    let textWithoutSpecialTokens: String

    init(from decoder: any Decoder) throws {
      var row = try decoder.unkeyedContainer()
      tokens = try row.decode([TokenID].self)
      text = try row.decode(String.self)
      textWithoutSpecialTokens = try row.decode(String.self)
    }
  }
}
