public import Decoding

/// What came out of a request.
public struct Outcome: Sendable, Equatable {
  /// Token ids in order.
  public var tokens: [Int32] = []
  /// The text, held-back parts included.
  public var text = ""
  /// Log-probabilities, where asked for.
  public var logprobs: [TokenLogprobs] = []
  /// Why it ended.
  public var reason: FinishReason?

  /// Nothing yet.
  public init() {}
}

extension DecodingLoop {
  /// Runs requests together until all have ended; request `i` joins after `i · stagger` steps.
  public func outcomes(
    of requests: [GenerationRequest], stagger: Int = 0
  ) throws -> (outcomes: [Outcome], speculation: SpeculationCounts) {
    var outcomes = requests.map { _ in Outcome() }
    var counts = SpeculationCounts()
    var (step, next) = (0, 0)
    while next < requests.count || !isIdle {
      while next < requests.count, step >= next * stagger {
        try submit(requests[next], as: RequestID(next))
        next += 1
      }
      for (id, event) in self.step() {
        switch event {
        case .token(let token):
          outcomes[id.number].tokens.append(token.id)
          outcomes[id.number].text += token.text
          if let logprobs = token.logprobs { outcomes[id.number].logprobs.append(logprobs) }
        case .finished(let summary):
          outcomes[id.number].text += summary.remainingText
          outcomes[id.number].reason = summary.reason
          counts.add(summary.speculation)
        }
      }
      step += 1
    }
    return (outcomes, counts)
  }

  /// Runs one request alone.
  public func outcome(of request: GenerationRequest) throws -> Outcome { try outcomes(of: [request]).outcomes[0] }
}
