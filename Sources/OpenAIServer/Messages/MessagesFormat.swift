internal import Decoding
internal import JSON

/// Answers of `/v1/messages`.
struct MessagesFormat: SingleAnswerFormat {
  let framing = EventFraming.messages

  let serving: ServingContext
  let chat: ChatCompletionRequest
  /// The message's.
  let id: String

  init(chat: ChatCompletionRequest, serving: ServingContext, context: ServerRequestContext) {
    (self.serving, self.chat) = (serving, chat)
    id = "msg_" + context.requestID
  }

  func choice(_ index: Int) -> MessagesChoice { MessagesChoice(format: self) }

  /// A message as far as it has come.
  func message(_ content: [JSONValue], reason: JSONValue, sequence: JSONValue, usage: JSONValue) -> JSONObject {
    JSONObject([
      ("id", .string(id)), ("type", "message"), ("role", "assistant"), ("model", .string(serving.modelName)),
      ("content", .array(content)), ("stop_reason", reason), ("stop_sequence", sequence), ("usage", usage),
    ])
  }
}

/// A message as it comes.
struct MessagesChoice: ChoiceFormat {
  private let format: MessagesFormat
  private var items: AnswerItems

  init(format: MessagesFormat) {
    self.format = format
    items = AnswerItems(parser: format.chat.parser, keepsTokens: false)
  }

  // MARK: Events

  func opening() -> [JSONValue] {
    let usage = Usage(promptTokens: format.chat.prompt.count).messagesJSON(thoughtTokens: 0)
    let message = format.message([], reason: .null, sequence: .null, usage: usage)
    return [["type": "message_start", "message": .object(message)], ["type": "ping"]]
  }

  mutating func pieces(for tokens: [GeneratedToken]) -> [JSONValue] { items.consume(tokens).flatMap(events) }

  mutating func closing(_ summary: GenerationSummary) -> [JSONValue] {
    let events = items.finish(summary).flatMap(events)
    let (reason, sequence) = stop(summary)
    let usage = usage(summary)
    let end: JSONValue = ["stop_reason": reason, "stop_sequence": sequence]
    var delta = JSONObject([
      ("type", "message_delta"), ("delta", end),
      ("usage", usage.messagesJSON(thoughtTokens: items.thoughtTokens)),
    ])
    delta["metrics"] = format.serving.metrics(of: usage)
    return events + [.object(delta), ["type": "message_stop"]]
  }

  /// What tells of a change to a block.
  private func events(_ change: AnswerItems.Change) -> [JSONValue] {
    func delta(_ place: Int, _ type: String, _ key: String, _ text: String) -> JSONValue {
      let delta = JSONObject([("type", .string(type)), (key, .string(text))])
      return ["type": "content_block_delta", "index": .integer(place), "delta": .object(delta)]
    }
    switch change {
    case .began(let place):
      return [
        ["type": "content_block_start", "index": .integer(place), "content_block": block(place, isEmpty: true)]
      ]
    case .grew(let place, let text, _):
      return switch items.items[place].kind {
      case .thought: [delta(place, "thinking_delta", "thinking", text)]
      case .text: [delta(place, "text_delta", "text", text)]
      case .call: [delta(place, "input_json_delta", "partial_json", text)]
      }
    case .ended(let place):
      let stop: JSONValue = ["type": "content_block_stop", "index": .integer(place)]
      guard items.items[place].kind == .thought else { return [stop] }
      return [delta(place, "signature_delta", "signature", format.id), stop]
    }
  }

  // MARK: Whole

  mutating func add(_ token: GeneratedToken) { _ = items.consume([token]) }

  mutating func whole(_ summary: GenerationSummary) -> JSONValue {
    _ = items.finish(summary)
    let (reason, sequence) = stop(summary)
    let usage = usage(summary)
    var message = format.message(
      items.items.indices.map { block($0) }, reason: reason, sequence: sequence,
      usage: usage.messagesJSON(thoughtTokens: items.thoughtTokens))
    message["metrics"] = format.serving.metrics(of: usage)
    return .object(message)
  }

  // MARK: Parts

  private func block(_ place: Int, isEmpty: Bool = false) -> JSONValue {
    let item = items.items[place]
    let text = JSONValue.string(isEmpty ? "" : item.text)
    switch item.kind {
    // The signature is for clients that pass on no thought without one; it is not looked at when it comes back.
    case .thought:
      return ["type": "thinking", "thinking": text, "signature": .string(isEmpty ? "" : format.id)]
    case .text: return ["type": "text", "text": text, "citations": .null]
    case .call(let id, let name):
      // Of a call that was cut off there is no input; streams have it as far as it came.
      let whole = isEmpty ? nil : (try? JSONValue(parsing: item.text))?.object
      return [
        "type": "tool_use", "id": .string(Self.toolUseID(id)), "name": .string(name),
        "input": .object(whole ?? JSONObject()),
      ]
    }
  }

  /// The id of a call in the form that this API's clients know.
  private static func toolUseID(_ id: String) -> String {
    id.hasPrefix("call_") ? "toolu_" + id.dropFirst("call_".count) : id
  }

  /// `stop_reason` and `stop_sequence`.
  private func stop(_ summary: GenerationSummary) -> (reason: JSONValue, sequence: JSONValue) {
    switch summary.reason {
    case .stopString(let text): ("stop_sequence", .string(text))
    case .length:
      (
        summary.outputTokens < format.chat.generation.request.stopping.maximumTokens
          ? "model_context_window_exceeded" : "max_tokens", .null
      )
    case .stopToken, .cancelled, .failed, .pooled: (items.hasCalls ? "tool_use" : "end_turn", .null)
    }
  }

  private func usage(_ summary: GenerationSummary) -> Usage {
    var usage = Usage(promptTokens: summary.promptTokens)
    usage.add(summary, isFirst: true, discardsOutput: false)
    return usage
  }
}

extension Usage {
  /// `usage` as messages have it: what was in the cache is not part of `input_tokens`.
  fileprivate func messagesJSON(thoughtTokens: Int) -> JSONValue {
    [
      "input_tokens": .integer(promptTokens - cachedTokens), "cache_creation_input_tokens": 0,
      "cache_read_input_tokens": .integer(cachedTokens), "output_tokens": .integer(outputTokens),
      "output_tokens_details": ["thinking_tokens": .integer(thoughtTokens)], "service_tier": "standard",
    ]
  }
}
