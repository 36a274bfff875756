internal import Decoding
internal import Foundation
internal import JSON
internal import NIOCore

/// What an endpoint's answers have in common: how they are put together, whole and as events of a stream.
protocol AnswerFormat: Sendable {
  associatedtype Choice: ChoiceFormat
  /// Answers per prompt, of which the first is told about the prompt.
  var count: Int { get }
  /// Whether the one token that the engine must generate is kept from the client.
  var discardsOutput: Bool { get }
  func choice(_ index: Int) -> Choice

  /// How events are written.
  var framing: EventFraming { get }
  /// The event that carries a piece of a choice.
  ///
  /// - Parameter usage: what was used up to it, where that is wanted.
  func event(_ piece: JSONValue, _ head: AnswerHead, usage: JSONValue?) -> JSONValue
  /// The event that says what was used, after those of all choices; `nil` where these say it.
  func usageEvent(_ head: AnswerHead, usage: JSONValue, metrics: JSONValue?) -> JSONValue?
  /// The text of a whole answer.
  ///
  /// - Parameter answers: all choices in the order of their indices.
  func body(
    _ head: AnswerHead, _ answers: [(choice: Choice, summary: GenerationSummary)], usage: JSONValue,
    metrics: JSONValue?
  ) throws(APIError) -> ByteBuffer
}

/// What every piece of an answer says of it.
struct AnswerHead: Sendable {
  let requestID: String
  /// Unix time.
  let created: Int
  let model: String

  /// That of now.
  static var unixTime: Int { Int(Date().timeIntervalSince1970) }
}

// MARK: Several choices

/// Answers as chats and completions have them: a list of choices with something around it.
protocol ChoicesFormat: AnswerFormat {
  /// `object` of a whole answer and of a piece.
  var objectName: String { get }
  var chunkName: String { get }
  /// What ids begin with.
  var idPrefix: String { get }
}

/// Most bytes of an answer in one piece.
private let mostBytes = 128 << 20

extension ChoicesFormat {
  var framing: EventFraming { .data }

  func event(_ piece: JSONValue, _ head: AnswerHead, usage: JSONValue?) -> JSONValue {
    var event = envelope(chunkName, head)
    event["choices"] = .array([piece])
    event["usage"] = usage
    return .object(event)
  }

  func usageEvent(_ head: AnswerHead, usage: JSONValue, metrics: JSONValue?) -> JSONValue? {
    var event = envelope(chunkName, head)
    event["choices"] = []
    event["usage"] = usage
    event["metrics"] = metrics
    return .object(event)
  }

  /// One choice after the other is turned into text.
  func body(
    _ head: AnswerHead, _ answers: [(choice: Choice, summary: GenerationSummary)], usage: JSONValue,
    metrics: JSONValue?
  ) throws(APIError) -> ByteBuffer {
    var body = ByteBuffer()
    body.writeString(JSONValue.object(envelope(objectName, head)).serialized().dropLast() + ",\"choices\":[")
    for (place, answer) in answers.enumerated() {
      var choice = answer.choice
      choice.share(with: answers[place - place % count].choice)
      if place > 0 { body.writeString(",") }
      body.writeString(choice.whole(answer.summary).serialized())
      guard body.readableBytes <= mostBytes else {
        throw APIError.badRequest(
          "the answer has more than \(mostBytes) bytes; expected fewer answers or log-probabilities, or stream: true",
          parameter: "n")
      }
    }
    var end = JSONObject()
    for (key, value) in answers.first?.choice.besideChoices ?? [] { end[key] = value }
    end["usage"] = usage
    end["metrics"] = metrics
    body.writeString("]," + JSONValue.object(end).serialized().dropFirst())
    return body
  }

  /// The fields that every answer and every piece begins with.
  private func envelope(_ object: String, _ head: AnswerHead) -> JSONObject {
    JSONObject([
      ("id", .string(idPrefix + head.requestID)), ("object", .string(object)), ("created", .integer(head.created)),
      ("model", .string(head.model)),
    ])
  }
}

// MARK: One answer

/// An answer that is nothing but its only choice, whose pieces are events by themselves.
protocol SingleAnswerFormat: AnswerFormat {}

extension SingleAnswerFormat {
  var count: Int { 1 }
  var discardsOutput: Bool { false }

  func event(_ piece: JSONValue, _ head: AnswerHead, usage: JSONValue?) -> JSONValue { piece }
  func usageEvent(_ head: AnswerHead, usage: JSONValue, metrics: JSONValue?) -> JSONValue? { nil }

  func body(
    _ head: AnswerHead, _ answers: [(choice: Choice, summary: GenerationSummary)], usage: JSONValue,
    metrics: JSONValue?
  ) throws(APIError) -> ByteBuffer {
    var body = ByteBuffer()
    for answer in answers {
      var choice = answer.choice
      body.writeString(choice.whole(answer.summary).serialized())
    }
    return body
  }
}
