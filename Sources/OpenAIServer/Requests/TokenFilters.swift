internal import Decoding
internal import JSON
internal import Tokenization

/// Which tokens an answer may be made of: `allowed_token_ids` and `bad_words`.
struct TokenFilters {
  private let allowed: [TokenID]?
  private let sequences: [[TokenID]]
  private let vocabularySize: Int

  /// Bounds on `bad_words`: every token of an answer is compared with them.
  private static let mostWords = 1024
  private static let longestWord = 1024

  /// - Throws: 400 for a list that is empty or names tokens that there are not.
  init(_ fields: JSONFields, serving: ServingContext, budget: WorkBudget) throws(APIError) {
    vocabularySize = serving.engine.vocabularySize
    allowed = try fields.tokens("allowed_token_ids")
    if let allowed {
      guard !allowed.isEmpty else { throw fields.wrong("allowed_token_ids", [], "at least one token id") }
      for token in allowed where token < 0 || token >= vocabularySize {
        throw fields.wrong(
          "allowed_token_ids", .integer(Int(token)), "token ids from 0 to \(vocabularySize - 1)")
      }
    }
    var sequences: Set<[TokenID]> = []
    let words = try fields.strings("bad_words") ?? []
    guard words.count <= Self.mostWords else {
      throw .badRequest(
        "bad_words holds \(words.count) words; expected at most \(Self.mostWords)", parameter: "bad_words")
    }
    for word in words {
      let plain = String(word.drop { $0 == " " })
      guard word.utf8.count <= Self.longestWord else {
        throw .badRequest(
          "bad_words holds a word of \(word.utf8.count) bytes; expected at most \(Self.longestWord)",
          parameter: "bad_words")
      }
      guard !plain.isEmpty else { throw fields.wrong("bad_words", .string(word), "words that are not empty") }
      // A word is written with a space before it or without; both are meant, as in vLLM.
      for text in [plain, " " + plain] {
        if let tokens = serving.tokenizer.encode(text, continuesText: true, budget: budget), !tokens.isEmpty {
          sequences.insert(tokens)
        }
      }
    }
    self.sequences = Array(sequences)
  }

  /// `constraint` with what is asked for beside it.
  func restricting(_ constraint: (any TokenConstraint)?) -> (any TokenConstraint)? {
    guard allowed != nil || !sequences.isEmpty else { return constraint }
    return TokenRestriction(
      allowed: allowed, sequences: sequences, vocabularySize: vocabularySize, beside: constraint)
  }
}
