internal import Decoding
internal import Foundation
internal import JSON
internal import Tokenization

/// Answers of `/api/chat` and `/api/generate`.
struct OllamaFormat: SingleAnswerFormat {
  /// Where an answer's text is.
  enum Place: Sendable {
    /// In `message`, with calls of tools.
    case message
    /// In `response`.
    case response
  }

  let framing = EventFraming.lines

  let place: Place
  let modelName: String
  let names: TokenNames
  let wantsLogprobs: Bool
  /// A parser that has seen nothing yet.
  let parser: any AnswerParser

  func choice(_ index: Int) -> OllamaChoice { OllamaChoice(self) }

  /// An event, or a whole answer, with what has come.
  static func event(
    _ parts: MessageParts, in place: Place, modelName: String, isDone: Bool
  ) -> JSONObject {
    var event = JSONObject([("model", .string(modelName)), ("created_at", .string(time(.now)))])
    let thinking: JSONValue? = parts.reasoning.isEmpty ? .none : .string(parts.reasoning)
    switch place {
    case .message:
      var message = JSONObject([("role", "assistant"), ("content", .string(parts.content))])
      message["thinking"] = thinking
      if !parts.calls.isEmpty { message["tool_calls"] = .array(parts.calls.map(\.ollamaJSON)) }
      event["message"] = .object(message)
    case .response:
      event["response"] = .string(parts.content)
      event["thinking"] = thinking
    }
    event["done"] = .bool(isDone)
    return event
  }

  /// The answer to a request that only asks for the model to be there.
  static func loaded(_ place: Place, modelName: String) -> JSONValue {
    var event = event(MessageParts(), in: place, modelName: modelName, isDone: true)
    event["done_reason"] = "load"
    return .object(event)
  }

  /// A time as Ollama writes it.
  static func time(_ date: Date) -> String {
    date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  }
}

/// One answer.
struct OllamaChoice: ChoiceFormat {
  private let format: OllamaFormat
  private var parser: any AnswerParser
  private var parts = MessageParts()
  private var tokens: [GeneratedToken] = []

  init(_ format: OllamaFormat) {
    self.format = format
    parser = format.parser
  }

  func opening() -> [JSONValue] { [] }

  mutating func pieces(for tokens: [GeneratedToken]) -> [JSONValue] {
    parts.add(parser.consume(tokens.map(\.text).joined()))
    let piece = parts.takeText()
    guard !piece.isEmpty || format.wantsLogprobs else { return [] }
    return [event(piece, tokens: tokens)]
  }

  mutating func closing(_ summary: GenerationSummary) -> [JSONValue] {
    parts.add(parser.consume(summary.remainingText) + parser.finish(isCut: summary.reason.isCut))
    let last = parts.isEmpty ? [] : [event(parts, tokens: [])]
    return last + [end(MessageParts(), tokens: [], summary)]
  }

  mutating func add(_ token: GeneratedToken) {
    parts.add(parser.consume(token.text))
    if format.wantsLogprobs { tokens.append(token) }
  }

  mutating func whole(_ summary: GenerationSummary) -> JSONValue {
    parts.add(parser.consume(summary.remainingText) + parser.finish(isCut: summary.reason.isCut))
    return end(parts, tokens: tokens, summary)
  }

  private func event(_ parts: MessageParts, tokens: [GeneratedToken], isDone: Bool) -> JSONObject {
    var event = OllamaFormat.event(parts, in: format.place, modelName: format.modelName, isDone: isDone)
    if format.wantsLogprobs, !tokens.isEmpty { event["logprobs"] = .array(tokens.compactMap(logprobs)) }
    return event
  }

  private func event(_ parts: MessageParts, tokens: [GeneratedToken]) -> JSONValue {
    .object(event(parts, tokens: tokens, isDone: false))
  }

  private func logprobs(_ token: GeneratedToken) -> JSONValue? {
    guard let logprobs = token.logprobs else { return nil }
    var entry = format.names.entry(token.id, logprobs.chosen)
    if !logprobs.top.isEmpty {
      entry["top_logprobs"] = .array(logprobs.top.map { .object(format.names.entry($0.token, $0.logprob)) })
    }
    return .object(entry)
  }

  /// The last event: why the answer ended, and what it took in nanoseconds.
  private func end(_ parts: MessageParts, tokens: [GeneratedToken], _ summary: GenerationSummary) -> JSONValue {
    var event = event(parts, tokens: tokens, isDone: true)
    let timing = summary.timing
    event["done_reason"] = .string(summary.reason.name)
    event["total_duration"] = Self.nanoseconds(timing.totalSeconds)
    event["load_duration"] = 0
    event["prompt_eval_count"] = .integer(summary.promptTokens)
    event["prompt_eval_duration"] = Self.nanoseconds(timing.firstTokenSeconds - timing.queueSeconds)
    event["eval_count"] = .integer(summary.outputTokens)
    event["eval_duration"] = Self.nanoseconds(timing.totalSeconds - timing.firstTokenSeconds)
    return .object(event)
  }

  static func nanoseconds(_ seconds: Double) -> JSONValue {
    .integer(Int(exactly: (max(0, seconds) * 1e9).rounded()) ?? 0)
  }
}

extension MessageParts {
  /// Text that has come, without the calls, which are written whole and may go on.
  fileprivate mutating func takeText() -> MessageParts {
    defer { (content, reasoning) = ("", "") }
    return MessageParts(content: content, reasoning: reasoning)
  }
}

extension MessageParts.Call {
  /// Arguments are an object here; what the model wrote that is none stays text under the key `arguments`.
  fileprivate var ollamaJSON: JSONValue {
    var arguments = JSONObject()
    if case .object(let object)? = try? JSONValue(parsing: self.arguments) {
      arguments = object
    } else if !self.arguments.isEmpty {
      arguments["arguments"] = .string(self.arguments)
    }
    var call = JSONObject()
    call["id"] = id.map(JSONValue.string)
    call["function"] = [
      "index": .integer(index), "name": .string(name ?? ""), "arguments": .object(arguments),
    ]
    return .object(call)
  }
}
