/// When the requests of an open loop are due.
package struct ArrivalSchedule: Sendable, Equatable {
  package let rate: RequestRate
  /// Shape of the gamma distribution of gaps: 1 is a Poisson process, below 1 is burstier, above 1 more even.
  package let burstiness: Double
  package let seed: UInt64

  package init(rate: RequestRate = .unlimited, burstiness: Double = 1, seed: UInt64 = 0) {
    self.rate = rate
    self.burstiness = burstiness
    self.seed = seed
  }

  /// Seconds after the start for each of `count` requests, ascending; all 0 without a rate.
  ///
  /// As in vLLM, the last is due after count / rate seconds whatever the seed: the gaps are scaled to that, so that runs
  /// with different seeds carry the same load.
  package func times(_ count: Int) -> [Double] {
    guard !rate.isUnlimited, count > 0 else { return Array(repeating: 0, count: count) }
    var random = SeededRandom(seed: seed)
    var time = 0.0
    let times = (0..<count).map { _ in
      time += burstiness.isInfinite ? 1 : random.gamma(shape: burstiness)
      return time
    }
    let scale = Double(count) / rate.perSecond / time
    return times.map { $0 * scale }
  }
}
