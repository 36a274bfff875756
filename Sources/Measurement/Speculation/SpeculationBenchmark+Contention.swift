package import Tokenization

extension SpeculationBenchmark {
  /// What `auto` came to beside competitors.
  package struct Contended: Encodable, Sendable {
    /// Threads that computed without pause meanwhile.
    package let competitors: Int
    /// Tokens per second, medians over the pairs of requests.
    package let plain, automatic: Double
    /// The ratio of each pair.
    package let speedup: Spread
    package let pairs: Int

    private enum CodingKeys: String, CodingKey {
      case competitors, speedup, pairs
      case plain = "plain_tokens_per_second"
      case automatic = "auto_tokens_per_second"
    }
  }

  /// Plain decoding and `auto` in turns, request by request, in phases with competitors that come and go.
  ///
  /// - Parameters:
  ///   - competitors: busy threads of each phase.
  ///   - seconds: length of a phase; its last pair is finished.
  ///   - progress: called before each phase with the share that is done.
  package mutating func contend(
    _ prompts: [[TokenID]], competitors: [Int], seconds: Double, rounds: Int, progress: (Double) -> Void
  ) async throws -> [Contended] {
    var rates = competitors.map { _ in (plain: [Double](), automatic: [Double]()) }
    var next = 0
    // The first answers find cold memory, and `auto` has yet to learn.
    for prompt in prompts { _ = try await run([prompt], .automatic, 1) }
    for round in 0..<rounds {
      for (place, count) in competitors.enumerated() {
        progress(Double(round * competitors.count + place) / Double(rounds * competitors.count))
        let crowd = Crowd(count)
        defer { crowd.leave() }
        let began = ContinuousClock.now
        repeat {
          let prompt = prompts[next % prompts.count]
          let isPlainFirst = (next / prompts.count + next) % 2 == 0
          let first = try await run([prompt], isPlainFirst ? .plain : .automatic, 1)
          let second = try await run([prompt], isPlainFirst ? .automatic : .plain, 1)
          isLossless = isLossless && first.outputs == second.outputs
          let (plain, automatic) = isPlainFirst ? (first, second) : (second, first)
          rates[place].plain.append(plain.tokensPerSecond)
          rates[place].automatic.append(automatic.tokensPerSecond)
          next += 1
        } while (ContinuousClock.now - began).inSeconds < seconds
      }
    }
    return zip(competitors, rates).map { count, rates in
      Contended(
        competitors: count, plain: Spread(rates.plain).median, automatic: Spread(rates.automatic).median,
        speedup: Spread(zip(rates.automatic, rates.plain).map { $0 / $1 }), pairs: rates.plain.count)
    }
  }
}
