/// The pre-tokenizers that GGUF files name (`tokenizer.ggml.pre`) instead of spelling them out.
///
/// Each does what the `tokenizer.json` does of the models that it is named after; names are llama.cpp's.
struct NamedPreTokenizer {
  let normalizer: Normalizer
  /// Whether words in the vocabulary are taken whole, whatever the merges say.
  let ignoresMerges: Bool
  /// Whether a text gets its first token when the file does not say.
  let addsBeginOfText: Bool
  /// Patterns to split at, one after the other.
  private let patterns: [String]

  private static let llama3 = NamedPreTokenizer(
    normalizer: .none, ignoresMerges: true, addsBeginOfText: true, patterns: [words(digits: #"\p{N}{1,3}"#)])
  private static let qwen2 = NamedPreTokenizer(
    normalizer: .nfc, ignoresMerges: false, addsBeginOfText: false, patterns: [words(digits: #"\p{N}"#)])

  private static let gpt4o = NamedPreTokenizer(
    normalizer: .none, ignoresMerges: true, addsBeginOfText: false,
    patterns: [cases(contractions: contractions + "?", digits: #"\p{N}{1,3}"#)])
  private static let tekken = NamedPreTokenizer(
    normalizer: .none, ignoresMerges: true, addsBeginOfText: true,
    patterns: [cases(contractions: "", digits: #"\p{N}"#)])

  private static let all: [String: NamedPreTokenizer] = [
    "llama-bpe": llama3, "llama3": llama3, "llama-v3": llama3, "falcon3": llama3, "qwen2": qwen2,
    "gpt-4o": gpt4o, "llama4": gpt4o, "tekken": tekken,
    "dbrx": NamedPreTokenizer(
      normalizer: .none, ignoresMerges: false, addsBeginOfText: false, patterns: llama3.patterns),
    "qwen35": NamedPreTokenizer(
      normalizer: .nfc, ignoresMerges: false, addsBeginOfText: false,
      patterns: [
        contractions
          + #"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
      ]),
    "deepseek-r1-qwen": NamedPreTokenizer(
      normalizer: .none, ignoresMerges: false, addsBeginOfText: false, patterns: qwen2.patterns),
    "gpt-2": NamedPreTokenizer(
      normalizer: .none, ignoresMerges: false, addsBeginOfText: false, patterns: [PreTokenizer.gpt2Pattern]),
    "smollm": NamedPreTokenizer(
      normalizer: .none, ignoresMerges: false, addsBeginOfText: false,
      patterns: [#"\p{N}"#, PreTokenizer.gpt2Pattern]),
  ]

  static var names: [String] { all.keys.sorted() }

  static func named(_ name: String) -> NamedPreTokenizer? { all[name] }

  /// The steps, compiled.
  func steps() throws -> [PreTokenizer.Step] {
    try patterns.map { pattern in
      let expression = try RegularExpression(try RegexSyntax.pcre2Pattern(from: pattern), isLiteral: false)
      return .split(pattern: expression, behavior: .isolated, isInverted: false)
    }
  }

  /// The pattern that Llama 3 and Qwen2 share but for the digits.
  private static func words(digits: String) -> String {
    contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"

  /// The pattern that gpt-oss and Mistral's Tekken share but for contractions and digits: words also end where small
  /// letters end.
  private static func cases(contractions: String, digits: String) -> String {
    let (upper, lower) = (#"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#, #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#)
    let before = #"[^\r\n\p{L}\p{N}]?"#
    return "\(before)\(upper)*\(lower)+\(contractions)|\(before)\(upper)+\(lower)*\(contractions)|\(digits)|"
      + #" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }
}
