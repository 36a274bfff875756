internal import Decoding
internal import JSON
internal import Tokenization

/// A request of another API in the fields of `/v1/chat/completions`, which say all that it can ask for.
struct ChatTranslation {
  var fields: JSONObject
  /// What fields of chats are called in the other API, for errors; paths before the parts of them.
  let names: [(chat: String, own: String)]

  /// - Throws: 400 in the other API's names.
  func request(serving: ServingContext, budget: WorkBudget) throws(APIError) -> ChatCompletionRequest {
    try APIError.renaming(names) { () throws(APIError) in
      try ChatCompletionRequest(JSONFields(fields), serving: serving, budget: budget)
    }
  }

  /// The number of tokens that the conversation comes to, which may be more than fit the context.
  func promptTokens(serving: ServingContext, budget: WorkBudget) throws(APIError) -> Int {
    try APIError.renaming(names) { () throws(APIError) in
      let fields = JSONFields(fields)
      try serving.check(modelNamed: fields.string("model"))
      let tools = try ToolFields(fields).descriptions
      let conversation = try ChatPrompt(fields, hasTools: tools != nil, serving: serving)
      return try conversation.tokens(
        of: conversation.text(tools: tools, budget: budget), mostTokens: serving.mostReadTokens, serving: serving,
        budget: budget
      ).count
    }
  }
}

extension APIError {
  /// What `body` returns; its errors are about fields of other names.
  static func renaming<Value: Sendable>(
    _ names: [(chat: String, own: String)], _ body: () async throws -> Value
  ) async throws -> Value {
    do { return try await body() } catch let error as APIError { throw error.renamed(names) }
  }

  /// The same of what does not wait.
  static func renaming<Value>(
    _ names: [(chat: String, own: String)], _ body: () throws(APIError) -> Value
  ) throws(APIError) -> Value {
    do { return try body() } catch { throw error.renamed(names) }
  }

  /// The same error about fields of other names.
  fileprivate func renamed(_ names: [(chat: String, own: String)]) -> APIError {
    func renamed(_ text: String) -> String {
      for (chat, own) in names where text.hasPrefix(chat) || text.contains("/" + chat) {
        // A name ends where the path goes on, or the sentence.
        guard let place = text.firstRange(of: chat), text[place.upperBound...].first.map(Self.goesOn) != true else {
          continue
        }
        return text.replacingCharacters(in: place, with: own)
      }
      return text
    }
    return APIError(
      status, renamed(message), kind: kind, parameter: parameter.map(renamed), code: code,
      retryAfterSeconds: retryAfterSeconds, allow: allow, reason: renamed(reason))
  }

  private static func goesOn(_ character: Character) -> Bool { character.isLetter || character == "_" }
}

extension String {
  fileprivate func replacingCharacters(in range: Range<Index>, with text: String) -> String {
    self[..<range.lowerBound] + text + self[range.upperBound...]
  }
}
