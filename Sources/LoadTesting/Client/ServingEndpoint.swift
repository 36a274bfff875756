package import JSON

/// Where requests go and what every one of them carries.
package struct ServingEndpoint: Sendable {
  /// The API that requests speak, by vLLM's names.
  package enum Backend: String, Sendable, CaseIterable, Codable {
    /// `/v1/completions`
    case openai
    /// `/v1/chat/completions`
    case openaiChat = "openai-chat"

    /// Where it is served unless the user says otherwise.
    package var path: String { self == .openai ? "/v1/completions" : "/v1/chat/completions" }
  }

  /// Without a slash at its end: `http://127.0.0.1:8000`.
  package var baseURL: String
  package var backend: Backend
  /// Of answers, after the base.
  package var path: String
  package var model: String
  package var headers: [(name: String, value: String)]
  /// Fields of every request's body; they win over ours.
  package var extraBody: JSONObject
  /// Whether every answer goes on past the end of the text, up to its length.
  package var ignoresEndOfText: Bool
  /// Whether to ask for the count of tokens in every event: vLLM's `continuous_usage_stats`.
  package var asksForContinuousUsage = true
  /// Answers' length when the workload names none.
  package var defaultOutputTokens: Int

  package init(
    baseURL: String, backend: Backend, path: String? = nil, model: String = "",
    headers: [(name: String, value: String)] = [], extraBody: JSONObject = JSONObject(),
    ignoresEndOfText: Bool = false, defaultOutputTokens: Int = 256
  ) {
    self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
    self.backend = backend
    self.path = path ?? backend.path
    self.model = model
    self.headers = headers
    self.extraBody = extraBody
    self.ignoresEndOfText = ignoresEndOfText
    self.defaultOutputTokens = defaultOutputTokens
  }

  func body(for request: WorkloadRequest) -> JSONValue {
    var body = JSONObject([("model", .string(model))])
    switch (backend, request.prompt) {
    case (.openai, .text(let text)): body["prompt"] = .string(text)
    case (.openai, .tokens(let tokens)): body["prompt"] = .array(tokens.map { .integer(Int($0)) })
    case (.openai, .messages(let messages)):
      body["prompt"] = .string(messages.map(\.content).joined(separator: "\n\n"))
    case (.openaiChat, .text(let text)): body["messages"] = Self.json([.init(role: "user", content: text)])
    case (.openaiChat, .messages(let messages)): body["messages"] = Self.json(messages)
    case (.openaiChat, .tokens(let tokens)):
      body["messages"] = Self.json([.init(role: "user", content: tokens.map { "\($0)" }.joined(separator: " "))])
    }
    let length = request.outputTokens ?? defaultOutputTokens
    body[backend == .openaiChat ? "max_completion_tokens" : "max_tokens"] = .integer(length)
    body["stream"] = true
    var options: [(String, JSONValue)] = [("include_usage", true)]
    if asksForContinuousUsage { options.append(("continuous_usage_stats", true)) }
    body["stream_options"] = .object(JSONObject(options))
    if ignoresEndOfText || request.ignoresEndOfText { body["ignore_eos"] = true }
    for (key, value) in extraBody.pairs { body[key] = value }
    return .object(body)
  }

  private static func json(_ messages: [WorkloadRequest.Message]) -> JSONValue {
    .array(messages.map { ["role": .string($0.role), "content": .string($0.content)] })
  }
}
