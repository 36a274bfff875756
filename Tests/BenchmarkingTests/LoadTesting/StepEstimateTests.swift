import Foundation
import LoadTesting
import Testing

/// Tokens per step, guessed from when events arrive.
@Suite struct StepEstimateTests {
  /// An answer whose steps bring `tokens` each, `seconds` apart; one event each, or one event a token.
  private func events(
    _ tokens: [Int], seconds: Double = 0.04, packed: Bool, jitter: Double = 0
  ) -> [RequestRecord.Event] {
    var events: [RequestRecord.Event] = []
    var state: UInt64 = 12345
    func noise() -> Double {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(state >> 11) / Double(1 << 53)
    }
    for (step, count) in tokens.enumerated() {
      let time = 1 + Double(step) * seconds + jitter * noise()
      if packed {
        events.append(.init(time: time, tokens: count))
      } else {
        events += (0..<count).map { .init(time: time + Double($0) * 0.0002, tokens: 1) }
      }
    }
    return events
  }

  private func estimate(_ events: [RequestRecord.Event]) -> Double? {
    var estimate = StepEstimate()
    estimate.add(events)
    return estimate.tokensPerStep
  }

  @Test("one token a step is one, however packed, with a tenth of jitter", arguments: [false, true])
  func plain(packed: Bool) throws {
    let found = try #require(estimate(events(Array(repeating: 1, count: 200), packed: packed, jitter: 0.004)))
    #expect(abs(found - 1) < 0.02)
  }

  @Test("accepted tokens are counted whether they share an event or follow each other", arguments: [false, true])
  func speculating(packed: Bool) throws {
    // Windows of 7: from nothing accepted to all.
    let tokens = (0..<150).map { [1, 3, 8, 2, 5, 8, 1, 4][$0 % 8] }
    let found = try #require(estimate(events(tokens, packed: packed, jitter: 0.004)))
    #expect(abs(found - 4) < 0.1)
  }

  @Test("a pause for another request's prompt changes little")
  func pauses() throws {
    var times = events(Array(repeating: 2, count: 100), packed: false)
    times = times.enumerated().map { .init(time: $1.time + ($0 >= 80 ? 0.5 : 0) + ($0 >= 150 ? 0.4 : 0), tokens: 1) }
    #expect(abs(try #require(estimate(times)) - 2) < 0.1)
  }

  @Test("short answers tell nothing")
  func short() { #expect(estimate(events([1, 2, 3], packed: true)) == nil) }
}
