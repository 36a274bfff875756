internal import Decoding
internal import JSON
internal import Tokenization

/// Answers of `/v1/chat/completions`.
struct ChatFormat: ChoicesFormat {
  let objectName = "chat.completion"
  let chunkName = "chat.completion.chunk"
  let idPrefix = "chatcmpl-"
  let discardsOutput = false

  let names: TokenNames
  let extras: TokenExtras
  let endOfText: Set<TokenID>
  let wantsLogprobs: Bool
  let count: Int
  let prompt: [TokenID]
  let promptScores: PromptScores?
  /// A parser that has seen nothing yet; each answer has a copy.
  let parser: any AnswerParser

  func choice(_ index: Int) -> ChatChoice { ChatChoice(index: index, format: self, parser: parser) }
}

/// One answer of a chat completion.
struct ChatChoice: ChoiceFormat {
  private let index: Int
  private let format: ChatFormat
  private var parser: any AnswerParser
  private var message = MessageParts()
  private var tokens: [GeneratedToken] = []
  private var promptLogprobs: [TokenLogprobs]?

  init(index: Int, format: ChatFormat, parser: any AnswerParser) {
    self.index = index
    self.format = format
    self.parser = parser
  }

  func opening() -> [JSONValue] { [piece(["role": "assistant", "content": ""], tokens: nil)] }

  mutating func pieces(for tokens: [GeneratedToken]) -> [JSONValue] {
    var delta = MessageParts()
    delta.add(parser.consume(tokens.map(\.text).joined()))
    if !delta.calls.isEmpty { message.calls = delta.calls }
    return [piece(delta.delta(isLast: false), tokens: tokens)]
  }

  mutating func closing(_ summary: GenerationSummary) -> [JSONValue] {
    var delta = MessageParts()
    delta.add(parser.consume(summary.remainingText) + parser.finish(isCut: summary.reason.isCut))
    if !delta.calls.isEmpty { message.calls = delta.calls }
    return [piece(delta.delta(isLast: true), tokens: nil, end: summary.reason)]
  }

  mutating func add(_ token: GeneratedToken) {
    message.add(parser.consume(token.text))
    promptLogprobs = promptLogprobs ?? token.promptLogprobs
    tokens.append(token)
  }

  mutating func whole(_ summary: GenerationSummary) -> JSONValue {
    message.add(parser.consume(summary.remainingText) + parser.finish(isCut: summary.reason.isCut))
    var choice = JSONObject([
      ("index", .integer(index)), ("message", message.message), ("logprobs", logprobs(tokens)),
      ("finish_reason", .string(finishReason(summary.reason))),
      ("stop_reason", summary.reason.stopReason(endOfText: format.endOfText)),
    ])
    format.extras.add(tokens, format.names, to: &choice)
    return .object(choice)
  }

  var besideChoices: [(key: String, value: JSONValue)] {
    guard let scores = format.promptScores else { return [] }
    return [("prompt_logprobs", format.names.promptLogprobs(format.prompt, promptLogprobs ?? [], count: scores.count))]
  }

  private func finishReason(_ reason: FinishReason) -> String {
    if case .stopToken = reason, !message.calls.isEmpty { return "tool_calls" }
    return reason.name
  }

  private func piece(_ delta: JSONValue, tokens: [GeneratedToken]?, end: FinishReason? = nil) -> JSONValue {
    var choice = JSONObject([
      ("index", .integer(index)), ("delta", delta), ("logprobs", tokens.map(logprobs) ?? .null),
      ("finish_reason", end.map { .string(finishReason($0)) } ?? .null),
    ])
    if let end { choice["stop_reason"] = end.stopReason(endOfText: format.endOfText) }
    if let tokens { format.extras.add(tokens, format.names, to: &choice) }
    return .object(choice)
  }

  private func logprobs(_ tokens: [GeneratedToken]) -> JSONValue {
    guard format.wantsLogprobs else { return .null }
    return ["content": .array(tokens.compactMap { format.names.chatLogprobs($0) })]
  }
}

extension MessageParts {
  /// The whole message.
  fileprivate var message: JSONValue {
    var message = JSONObject([
      ("role", "assistant"), ("content", content.isEmpty && !calls.isEmpty ? .null : .string(content)),
      ("refusal", .null),
    ])
    addReasoning(to: &message)
    if !calls.isEmpty { message["tool_calls"] = .array(calls.map { Self.json($0, withIndex: false) }) }
    return .object(message)
  }

  /// A piece of a message; the last one says nothing where nothing came.
  fileprivate func delta(isLast: Bool) -> JSONValue {
    var delta = JSONObject()
    addReasoning(to: &delta)
    if !calls.isEmpty { delta["tool_calls"] = .array(calls.map { Self.json($0, withIndex: true) }) }
    if !content.isEmpty || (delta.isEmpty && !isLast) { delta["content"] = .string(content) }
    return .object(delta)
  }

  /// The thought, under both names that clients look for.
  private func addReasoning(to object: inout JSONObject) {
    guard !reasoning.isEmpty else { return }
    object["reasoning_content"] = .string(reasoning)
    object["reasoning"] = .string(reasoning)
  }

  private static func json(_ call: Call, withIndex: Bool) -> JSONValue {
    var function = JSONObject()
    function["name"] = call.name.map(JSONValue.string)
    function["arguments"] = .string(call.arguments)
    var object = JSONObject()
    if withIndex { object["index"] = .integer(call.index) }
    object["id"] = call.id.map(JSONValue.string)
    if call.id != nil { object["type"] = "function" }
    object["function"] = .object(function)
    return .object(object)
  }
}
