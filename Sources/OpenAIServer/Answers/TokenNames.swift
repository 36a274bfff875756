internal import Decoding
internal import Tokenization

/// How single tokens are shown beside their log-probabilities.
struct TokenNames: Sendable {
  let tokenizer: Tokenizer

  /// Below this, log-probabilities are not told apart; JSON has no infinity.
  static let lowestLogprob = -9999.0

  /// The token's text; bytes that are no whole characters as `bytes:\xe2\x80`, so that names differ.
  func name(of token: TokenID) -> String {
    guard let bytes = tokenizer.bytes(of: token) else { return "<|\(token)|>" }
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    return "bytes:" + bytes.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// A number that JSON can hold.
  static func clamped(_ logprob: Double) -> JSONValue { .number(max(logprob, lowestLogprob)) }

  /// `{"token": …, "logprob": …, "bytes": […]}` as chat completions have it.
  func entry(_ token: TokenID, _ logprob: Double) -> JSONObject {
    JSONObject([
      ("token", .string(name(of: token))), ("logprob", Self.clamped(logprob)),
      ("bytes", tokenizer.bytes(of: token).map { .array($0.map { .integer(Int($0)) }) } ?? .null),
    ])
  }
}
