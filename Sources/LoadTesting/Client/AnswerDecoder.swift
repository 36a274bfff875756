internal import Foundation
internal import JSON
internal import Tokenization

/// Makes records out of answers as they came.
struct AnswerDecoder: Sendable {
  /// When the run began, in nanoseconds of the monotonic clock.
  let origin: UInt64
  let tokenizer: Tokenizer?

  /// The record of a request that was due at `arrival`.
  func record(
    _ answer: RawAnswer, of request: WorkloadRequest, index: Int, arrival: UInt64
  ) -> RequestRecord {
    var reading = Reading()
    var failure = answer.failure
    if let status = answer.status, status >= 300 {
      failure = Self.failure(status: status, body: answer.bytes)
    } else if answer.status != nil {
      do {
        try read(answer, into: &reading)
        if failure == nil, !reading.isEnded {
          failure = RequestFailure(.brokenStream, "the stream ended without finish_reason and without [DONE]")
        }
      } catch let found as RequestFailure {
        failure = failure ?? found
      } catch {
        failure = failure ?? RequestFailure(.badPayload, "\(error)")
      }
    }
    let counted = TokenCount(reading.pieces, total: reading.completionTokens, tokenizer: tokenizer)
    return RequestRecord(
      index: index, category: request.category, arrival: seconds(arrival), start: seconds(answer.start),
      end: seconds(answer.end), events: counted.events, text: reading.pieces.map(\.text).joined(),
      finishReason: reading.finishReason,
      inputTokens: reading.promptTokens ?? request.inputTokens ?? tokenizer.map { request.count(with: $0) } ?? 0,
      outputTokens: counted.total, tokenCounts: counted.source, speculation: reading.speculation, failure: failure)
  }

  /// What was read of one answer.
  private struct Reading {
    var pieces: [TokenCount.Piece] = []
    var finishReason: String?
    var completionTokens, promptTokens: Int?
    var speculation: SpeculationFigures?
    var isDone = false
    var isEnded: Bool { isDone || finishReason != nil }
  }

  private func read(_ answer: RawAnswer, into reading: inout Reading) throws {
    if answer.contentType.lowercased().hasPrefix("application/json") {
      // A server that does not stream: everything came at the end.
      try take(try AnswerEvent(answer.bytes), at: seconds(answer.marks.last?.time ?? answer.end), into: &reading)
      reading.isDone = true
      return
    }
    var parser = ServerSentEvents()
    var position = 0
    for mark in answer.marks {
      let events = parser.append(answer.bytes[position..<mark.end])
      position = mark.end
      for data in events where !reading.isDone {
        if data.elementsEqual(Self.done) {
          reading.isDone = true
        } else {
          try take(try AnswerEvent(data), at: seconds(mark.time), into: &reading)
        }
      }
    }
  }

  private static let done = Array("[DONE]".utf8)

  private func take(_ event: AnswerEvent, at time: Double, into reading: inout Reading) throws {
    if let reason = event.finishReason { reading.finishReason = reason }
    if let count = event.promptTokens { reading.promptTokens = count }
    if let found = event.speculation { reading.speculation = found }
    let before = reading.completionTokens ?? 0
    if let count = event.completionTokens { reading.completionTokens = count }
    guard event.hasChoice else { return }
    // Usage in an event with a choice counts the tokens until then.
    let running = event.completionTokens.map { max($0 - before, 0) }
    let piece = TokenCount.Piece(
      time: time, text: event.text, ends: event.finishReason != nil, runningUsage: running, ownTokens: event.ownTokens)
    // A chat begins with an event that only names the role.
    if !reading.pieces.isEmpty || !piece.isSilent { reading.pieces.append(piece) }
  }

  private func seconds(_ time: UInt64) -> Double {
    time >= origin ? Double(time - origin) / 1e9 : -Double(origin - time) / 1e9
  }

  /// What an error status means; the message of OpenAI's error shape where the body has it.
  static func failure(status: Int, body: [UInt8]) -> RequestFailure {
    let value = try? JSONValue(parsing: body)
    let message =
      value?["error"]?["message"]?.string ?? value?["error"]?.string ?? value?["message"]?.string
      ?? value?["detail"]?.string ?? (body.isEmpty ? "no body" : AnswerEvent.excerpt(body))
    return RequestFailure(status >= 500 ? .httpServer : .httpClient, status: status, "status \(status): \(message)")
  }
}
