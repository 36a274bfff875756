internal import Decoding
internal import JSON
internal import Tokenization

/// Writes one answer of a request in an endpoint's JSON: whole, or in pieces as it comes.
protocol ChoiceFormat: Sendable {
  /// Pieces that come before the first token.
  mutating func opening() -> [JSONValue]
  /// Pieces for tokens that have just come; at least one token.
  mutating func pieces(for tokens: [GeneratedToken]) -> [JSONValue]
  /// The last pieces.
  mutating func closing(_ summary: GenerationSummary) -> [JSONValue]
  /// The last pieces of an answer that the engine could not finish; `nil` where the API's streams say so themselves.
  mutating func failing(_ error: APIError) -> [JSONValue]?

  /// Adds a token to the whole.
  mutating func add(_ token: GeneratedToken)
  /// Takes what the first answer to the same prompt was told about it, and this one was not.
  mutating func share(with first: Self)
  /// The whole answer.
  mutating func whole(_ summary: GenerationSummary) -> JSONValue
  /// What stands beside the choices, of a request whose first answer this is.
  var besideChoices: [(key: String, value: JSONValue)] { get }
}

extension ChoiceFormat {
  func share(with first: Self) {}
  func failing(_ error: APIError) -> [JSONValue]? { nil }
  var besideChoices: [(key: String, value: JSONValue)] { [] }
}

/// Fields that both endpoints add to a choice on request.
struct TokenExtras: Sendable {
  let returnsIDs: Bool
  let returnsOrigins: Bool
  let returnsProposals: Bool

  var areWanted: Bool { returnsIDs || returnsOrigins || returnsProposals }

  func add(_ tokens: [GeneratedToken], _ names: TokenNames, to choice: inout JSONObject) {
    if returnsIDs { choice["token_ids"] = .array(tokens.map { .integer(Int($0.id)) }) }
    if returnsOrigins { choice["token_origins"] = .array(tokens.map { .string($0.origin.rawValue) }) }
    if returnsProposals { choice["token_proposals"] = .array(tokens.map { Self.json($0.proposals, names) }) }
  }

  private static func json(_ proposals: TokenProposals?, _ names: TokenNames) -> JSONValue {
    guard let proposals else { return .null }
    let entries = proposals.entries.map { entry -> JSONValue in
      [
        "origin": .string(entry.origin.rawValue), "token_id": .integer(Int(entry.token)),
        "token": .string(names.name(of: entry.token)),
      ]
    }
    return [
      "window": .integer(proposals.window), "position": .integer(proposals.position), "proposals": .array(entries),
    ]
  }
}

/// The prompt's log-probabilities, where a request wants them beside or within its choices.
struct PromptScores: Sendable {
  /// How many of the likeliest tokens to tell at each place.
  let count: Int

  /// `nil` when the request does not ask for them.
  init?(_ generation: GenerationFields) {
    guard generation.returnsPromptLogprobs else { return nil }
    count = generation.request.promptLogprobCount ?? 0
  }
}

extension FinishReason {
  /// Whether the answer was broken off rather than ended by the model.
  var isCut: Bool {
    if case .stopToken = self { false } else { true }
  }

  /// `stop_reason`, as vLLM has it: the stop string or the stop token's id; `null` for an end of text.
  func stopReason(endOfText: Set<TokenID>) -> JSONValue {
    switch self {
    case .stopString(let text): .string(text)
    case .stopToken(let token) where !endOfText.contains(token): .integer(Int(token))
    default: .null
    }
  }
}
