/// A BPE tokenizer as GGUF files describe it: lists of tokens with merges or scores, and the name of a pre-tokenizer.
package struct TokenLists: Sendable {
  /// How words become tokens.
  package enum Algorithm: Sendable, Equatable {
    /// By merges, from bytes in the byte-level alphabet (`gpt2`).
    case byteLevel
    /// By merges, from characters; spaces are `▁` (`gemma4`).
    case characters
    /// SentencePiece's, by the tokens' scores; spaces are `▁`, and one may be put before a text (`llama`).
    case scores([Float], prependsSpace: Bool)
  }

  /// What a token is for.
  package enum Kind: Sendable, Equatable {
    /// Made by merges.
    case normal
    /// Stands for what has no token.
    case unknown
    /// A byte of a character that has no token, `<0x0A>`.
    case byte
    /// A control token, left out of decoded text on request.
    case control
    /// Found in texts before anything is split.
    case userDefined
    /// Fills the list up to the model's size.
    case unused
  }

  /// The tokens' texts by id; in the byte-level alphabet where the algorithm is that.
  package var tokens: [[UInt8]]
  /// What each is for.
  package var kinds: [Kind]
  package var algorithm = Algorithm.byteLevel
  /// Pairs of texts with a space between, the first merge first.
  package var merges: [[UInt8]]
  /// Name of the pre-tokenizer; of the byte-level algorithm only.
  package var preTokenizer: String
  /// Whether control tokens take the white space after them.
  package var controlsStripRight = false
  /// The first and last tokens of a text.
  package var beginOfText, endOfText: TokenID?
  /// Whether they are put around a text; `nil` for what the pre-tokenizer's models do.
  package var addsBeginOfText, addsEndOfText: Bool?
  /// The chat templates' sources by name; the one without a name is `default`.
  package var chatTemplates: [String: String] = [:]

  /// Lists without anything around them.
  package init(tokens: [[UInt8]], kinds: [Kind], merges: [[UInt8]], preTokenizer: String) {
    self.tokens = tokens
    self.kinds = kinds
    self.merges = merges
    self.preTokenizer = preTokenizer
  }
}
