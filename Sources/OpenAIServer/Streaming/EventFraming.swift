internal import JSON

/// How the events of a stream are written, and its errors.
package enum EventFraming: Sendable {
  /// Data alone, and `[DONE]` at the end: chats and completions.
  case data
  /// OpenAI's responses: each event has its type before it, each error its number.
  case responses
  /// Anthropic's messages: each event has its type before it.
  case messages
  /// Data alone, and nothing at the end, as the last event says that it is: llama.cpp's completions.
  case dataOnly
  /// A line for each event (NDJSON): Ollama's answers.
  case lines

  var contentType: String {
    switch self {
    case .data, .responses, .messages, .dataOnly: "text/event-stream; charset=utf-8"
    case .lines: "application/x-ndjson"
    }
  }

  /// What an event looks like on its way.
  func text(_ event: JSONValue) -> String {
    switch self {
    case .data, .dataOnly: "data: \(event.serialized())\n\n"
    case .lines: event.serialized() + "\n"
    case .responses, .messages: "event: \(event["type"]?.string ?? "message")\ndata: \(event.serialized())\n\n"
    }
  }

  /// What follows the last event.
  var ending: String { self == .data ? "data: [DONE]\n\n" : "" }

  /// The event that says why a stream ends before its time.
  ///
  /// - Parameter number: events that came before it.
  func event(_ error: APIError, number: Int) -> JSONValue {
    switch self {
    case .data, .dataOnly: ErrorShape.openAI.json(error)
    case .lines: ErrorShape.ollama.json(error)
    case .messages: ErrorShape.anthropic.json(error)
    case .responses:
      [
        "type": "error", "sequence_number": .integer(number), "code": .string(error.code ?? error.kind),
        "message": .string(error.message), "param": error.parameter.map(JSONValue.string) ?? .null,
      ]
    }
  }
}
