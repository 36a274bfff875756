public import Tokenization

/// Names a request within one engine.
public struct RequestID: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// Ascending in order of submission.
  public let number: Int

  /// The request with that number.
  public init(_ number: Int) { self.number = number }

  /// Earlier requests come first.
  public static func < (first: RequestID, second: RequestID) -> Bool { first.number < second.number }
  /// "request 3".
  public var description: String { "request \(number)" }
}

/// What a client asks for: a prompt, how to sample, when to stop.
public struct GenerationRequest: Sendable {
  /// Token ids of the prompt; at least one.
  public var prompt: [TokenID]
  /// How tokens are chosen.
  public var sampling = SamplingParameters()
  /// When the answer ends.
  public var stopping = StopConditions()
  /// Whether control tokens are left out of the answer's text.
  public var skipsSpecialTokens = true
  /// Whether the answer is a text of its own, as a message is, and does not go on with the prompt's: then a space that
  /// the tokenizer puts before texts is no part of it.
  public var startsText = false
  /// Control tokens that are text all the same, because the answer is read by them: tags of calls and of thoughts.
  public var visibleTokens: Set<TokenID> = []
  /// Whether and how many alternatives to report log-probabilities for: `nil` none, 0 the chosen token's only.
  public var logprobCount: Int?

  /// Whether and how many alternatives to report log-probabilities for at every position of the prompt but the first.
  public var promptLogprobCount: Int?
  /// What is wanted of the prompt by a request that generates nothing; `nil` for an answer.
  public var pooling: Pooling?
  /// Requests with a lower number are admitted first; equal ones in order of submission.
  public var priority = 0

  /// Most proposals per verification: `nil` as many as the engine is set to, 0 for plain decoding.
  public var window: Int?
  /// What the answer's tokens must keep to, in its initial state; `nil` for free text.
  public var constraint: (any TokenConstraint)?

  /// Who is to propose, always and as many as the window holds; `nil` leaves both to the engine.
  ///
  /// An engine that was not loaded with the method ignores it.
  public var method: SpeculationMethod?

  /// Whether the summary lists every verification (`--per-request-spec-decode-metrics detailed`).
  public var listsVerifications = false

  /// Whether tokens carry what was proposed at their places.
  public var listsProposals = false

  /// Whether tokens carry the decisions that led to them.
  public var explainsDecisions = false

  /// A greedy request that stops at the model's own end of text.
  public init(prompt: [TokenID]) { self.prompt = prompt }

  /// Most alternatives that can be asked for at one position.
  public static let maximumLogprobCount = 20

  /// Checks the request against what the model can do.
  ///
  /// - Throws: `RequestError` that names the parameter, what was found and what was expected.
  public func validate(vocabularySize: Int, maximumLength: Int) throws(RequestError) {
    guard !prompt.isEmpty else { throw RequestError(parameter: "prompt", message: "the prompt has no tokens") }
    let room = pooling == nil ? maximumLength - 1 : maximumLength
    guard prompt.count <= room else {
      throw RequestError(
        parameter: "prompt",
        message:
          // Clients look for the first words, which are OpenAI's and vLLM's.
          "this model's maximum context length is \(maximumLength) tokens, and the prompt has \(prompt.count) tokens; \(pooling == nil ? "with room for an answer at most" : "at most") \(room) fit"
      )
    }
    for token in prompt where token < 0 || token >= vocabularySize {
      throw RequestError(
        parameter: "prompt",
        message: "the prompt holds token id \(token); the vocabulary has ids 0 to \(vocabularySize - 1)")
    }
    guard stopping.minimumTokens <= maximumLength - prompt.count else {
      throw RequestError(
        parameter: "min_tokens",
        message:
          "min_tokens is \(stopping.minimumTokens); after a prompt of \(prompt.count) tokens the context of \(maximumLength) has room for \(maximumLength - prompt.count)"
      )
    }
    if let logprobCount, !(0...Self.maximumLogprobCount).contains(logprobCount) {
      throw RequestError(
        parameter: "logprobs", message: "logprobs is \(logprobCount); expected 0 to \(Self.maximumLogprobCount)")
    }
    if let promptLogprobCount, !(0...Self.maximumLogprobCount).contains(promptLogprobCount) {
      throw RequestError(
        parameter: "prompt_logprobs",
        message: "prompt_logprobs is \(promptLogprobCount); expected 0 to \(Self.maximumLogprobCount)")
    }
    if case .logits(let tokens)? = pooling,
      let token = tokens.first(where: { $0 < 0 || $0 >= vocabularySize })
    {
      throw RequestError(
        parameter: "pooling",
        message: "pooling asks for the logit of \(token); the vocabulary has ids 0 to \(vocabularySize - 1)")
    }
    if let window, window < 0 {
      throw RequestError(
        parameter: "num_speculative_tokens", message: "num_speculative_tokens is \(window); expected 0 or more")
    }
    try sampling.validate(vocabularySize: vocabularySize)
    try stopping.validate(vocabularySize: vocabularySize)
  }
}

/// A request that cannot be served as asked.
public struct RequestError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The parameter at fault, by its name in the API.
  public let parameter: String
  /// One sentence: what was found, what was expected.
  public let message: String

  /// An error about `parameter`.
  public init(parameter: String, message: String) {
    self.parameter = parameter
    self.message = message
  }

  /// The message.
  public var description: String { message }
}
