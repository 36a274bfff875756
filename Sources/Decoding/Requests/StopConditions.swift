public import Tokenization

/// When an answer ends.
public struct StopConditions: Sendable, Equatable {
  /// Most tokens to generate; the context length bounds it too.
  public var maximumTokens: Int = .max
  /// Tokens before the first that may end the answer, as `min_tokens` of vLLM: until then no end of text and no stop
  /// token is chosen where there is another choice, and stop strings are text like any other.
  public var minimumTokens = 0
  /// The model's own end-of-text tokens.
  public var endOfTextTokens: Set<TokenID> = []
  /// Whether to go on past end-of-text tokens.
  public var ignoresEndOfText = false
  /// Tokens that end the answer like an end of text, whatever `ignoresEndOfText`.
  public var tokens: Set<TokenID> = []
  /// Texts that end the answer.
  public var strings: [String] = []
  /// Whether the answer holds the text that ended it (`include_stop_str_in_output`).
  public var includesStopString = false
  /// A thought that the answer may begin with: `strings` count after it only, as a thought is not the answer.
  public var thought: Thought?

  /// A thought at the beginning of an answer, between two tags.
  public struct Thought: Sendable, Equatable {
    /// What opens it.
    public let opening: String
    /// What closes it.
    public let closing: String
    /// Whether the prompt has opened it already.
    public let isOpen: Bool

    /// A thought between these tags.
    public init(opening: String, closing: String, isOpen: Bool) {
      self.opening = opening
      self.closing = closing
      self.isOpen = isOpen
    }
  }

  /// Only the token limit.
  public init() {}

  /// Most stop strings in one request.
  public static let maximumStringCount = 16

  /// Most bytes (UTF-8) of a stop string.
  public static let maximumStringBytes = 1024

  /// The tokens that end the answer.
  var endTokens: Set<TokenID> { ignoresEndOfText ? tokens : tokens.union(endOfTextTokens) }

  /// Whether `token` ends the answer.
  func end(at token: TokenID) -> Bool {
    tokens.contains(token) || !ignoresEndOfText && endOfTextTokens.contains(token)
  }

  func validate(vocabularySize: Int) throws(RequestError) {
    guard maximumTokens >= 1 else {
      throw RequestError(parameter: "max_tokens", message: "max_tokens is \(maximumTokens); expected 1 or more")
    }
    guard minimumTokens >= 0, minimumTokens <= maximumTokens else {
      let most = maximumTokens == .max ? "" : "; expected at most max_tokens, which is \(maximumTokens)"
      throw RequestError(
        parameter: "min_tokens",
        message: "min_tokens is \(minimumTokens)\(minimumTokens < 0 ? "; expected 0 or more" : most)")
    }
    guard strings.count <= Self.maximumStringCount else {
      throw RequestError(
        parameter: "stop",
        message: "stop holds \(strings.count) strings; expected at most \(Self.maximumStringCount)")
    }
    if let long = strings.first(where: { $0.utf8.count > Self.maximumStringBytes }) {
      throw RequestError(
        parameter: "stop",
        message: "stop holds a string of \(long.utf8.count) bytes; expected at most \(Self.maximumStringBytes)")
    }
    guard !strings.contains("") else {
      throw RequestError(parameter: "stop", message: "stop holds an empty string, which every answer contains")
    }
    for token in tokens where token < 0 || token >= vocabularySize {
      throw RequestError(
        parameter: "stop_token_ids",
        message: "stop_token_ids holds \(token); the vocabulary has ids 0 to \(vocabularySize - 1)")
    }
  }
}

/// Why an answer ended.
public enum FinishReason: Sendable, Equatable {
  /// An end-of-text or stop token.
  case stopToken(TokenID)
  /// A stop string.
  case stopString(String)
  /// `max_tokens` or the context length.
  case length
  /// The prompt was read, and nothing else was wanted.
  case pooled
  /// The client went away or called it off.
  case cancelled
  /// The engine could not go on.
  case failed(String)

  /// The name that the OpenAI API gives it.
  public var name: String {
    switch self {
    case .stopToken, .stopString, .pooled: "stop"
    case .length: "length"
    case .cancelled: "abort"
    case .failed: "error"
    }
  }
}
