/// One request as it was seen at the socket. Times are seconds since the run began.
package struct RequestRecord: Sendable {
  /// How the number of tokens of each event became known.
  package enum TokenCounts: String, Sendable, Codable {
    /// Each event carried `usage`.
    case continuousUsage = "continuous_usage"
    /// Each event carried as many log-probabilities as tokens.
    case logprobs
    /// As many events as `usage` counted tokens at the end.
    case onePerEvent = "one_per_event"
    /// The text was tokenised here.
    case tokenizer
    /// The tokens that `usage` counted, shared out by the length of the text.
    case estimated
    /// No `usage`: each event is taken for one token.
    case events
  }

  /// An event that carried text.
  package struct Event: Sendable, Equatable {
    package let time: Double
    /// Tokens that it brought; 0 if they were counted with an earlier one.
    package let tokens: Int

    package init(time: Double, tokens: Int) {
      (self.time, self.tokens) = (time, tokens)
    }
  }

  /// Its place among the run's requests.
  package let index: Int
  package let category: String
  /// When it was due: its arrival in an open loop, its turn in a closed one.
  package let arrival: Double
  /// When it was handed to the connection.
  package let start: Double
  /// When the answer ended or failed.
  package let end: Double
  /// Events with text, in order.
  package let events: [Event]
  package let text: String
  package let finishReason: String?
  package let inputTokens, outputTokens: Int
  package let tokenCounts: TokenCounts
  /// The response's own account of speculation, if it has one.
  package let speculation: SpeculationFigures?
  /// `nil` for a complete answer.
  package let failure: RequestFailure?
}

extension RequestRecord {
  package var isComplete: Bool { failure == nil }

  /// Seconds until the first token; `nil` if there was none.
  package var timeToFirstToken: Double? { events.first.map { $0.time - start } }

  /// Seconds until the last token, or until the answer ended if there was none.
  package var latency: Double { (events.last?.time ?? end) - start }

  /// Seconds per token after the first; `nil` for fewer than two tokens.
  package var timePerOutputToken: Double? {
    guard outputTokens > 1, let first = timeToFirstToken else { return nil }
    return (latency - first) / Double(outputTokens - 1)
  }

  /// Seconds between events.
  package var eventGaps: [Double] { zip(events.dropFirst(), events).map { $0.time - $1.time } }

  /// Seconds between tokens: the first of an event waits since the event before, the others not at all.
  package var tokenGaps: [Double] {
    var gaps: [Double] = []
    var previous: Double?
    for event in events where event.tokens > 0 {
      if let previous { gaps.append(event.time - previous) }
      gaps.append(contentsOf: repeatElement(0, count: event.tokens - 1))
      previous = event.time
    }
    return gaps
  }
}
