internal import Decoding
internal import JSON
internal import Tokenization

/// How single tokens are shown beside their log-probabilities.
struct TokenNames: Sendable {
  let tokenizer: Tokenizer
  /// Whether names are ids, `token_id:17` (`return_tokens_as_token_ids`).
  var byID = false

  /// Below this, log-probabilities are not told apart; JSON has no infinity.
  static let lowestLogprob = -9999.0

  /// The token's text; bytes that are no whole characters as `bytes:\xe2\x80`, so that names differ.
  func name(of token: TokenID) -> String {
    if byID { return "token_id:\(token)" }
    guard let bytes = tokenizer.bytes(of: token) else { return "<|\(token)|>" }
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    return "bytes:" + bytes.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// A number that JSON can hold.
  static func clamped(_ logprob: Double) -> JSONValue { .number(max(logprob, lowestLogprob)) }

  /// `prompt_logprobs` in vLLM's shape: nothing for the first token, then for each token the likeliest ones at its place
  /// and itself, by their ids.
  ///
  /// - Parameters:
  ///   - scores: of the prompt's tokens from the second on.
  ///   - count: how many of the likeliest to tell.
  func promptLogprobs(_ prompt: [TokenID], _ scores: [TokenLogprobs], count: Int) -> JSONValue {
    func entry(_ token: TokenID, _ logprob: Double, rank: Int) -> JSONValue {
      [
        "logprob": Self.clamped(logprob), "rank": .integer(rank),
        "decoded_token": .string(tokenizer.decode(CollectionOfOne(token), continuesText: true)),
      ]
    }
    let places = zip(prompt.dropFirst(), scores).map { token, score -> JSONValue in
      var entries = JSONObject(
        score.top.prefix(count).enumerated().map { ("\($1.token)", entry($1.token, $1.logprob, rank: $0 + 1)) })
      if entries["\(token)"] == nil { entries["\(token)"] = entry(token, score.chosen, rank: score.rank) }
      return .object(entries)
    }
    return .array([.null] + places)
  }

  /// `{"token": …, "logprob": …, "bytes": […]}` as chat completions have it.
  func entry(_ token: TokenID, _ logprob: Double) -> JSONObject {
    JSONObject([
      ("token", .string(name(of: token))), ("logprob", Self.clamped(logprob)),
      ("bytes", tokenizer.bytes(of: token).map { .array($0.map { .integer(Int($0)) }) } ?? .null),
    ])
  }

  /// A token with its alternatives, as chat completions have it; `nil` where nothing is known about it.
  func chatLogprobs(_ token: GeneratedToken) -> JSONValue? {
    guard let logprobs = token.logprobs else { return nil }
    var entry = entry(token.id, logprobs.chosen)
    entry["top_logprobs"] = .array(logprobs.top.map { .object(self.entry($0.token, $0.logprob)) })
    return .object(entry)
  }
}
