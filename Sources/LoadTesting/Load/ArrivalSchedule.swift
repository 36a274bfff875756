internal import Foundation

/// When the requests of an open loop are due.
package struct ArrivalSchedule: Sendable, Equatable {
  package let rate: RequestRate
  /// Takes the place of `rate`, if given.
  package let rampUp: RampUp?
  /// Shape of the gamma distribution of gaps: 1 is a Poisson process, below 1 is burstier, above 1 more even.
  package let burstiness: Double
  package let seed: UInt64

  package init(rate: RequestRate = .unlimited, rampUp: RampUp? = nil, burstiness: Double = 1, seed: UInt64 = 0) {
    (self.rate, self.rampUp, self.burstiness, self.seed) = (rate, rampUp, burstiness, seed)
  }

  /// Whether requests are sent at their time, whatever the server does.
  package var isOpen: Bool { rampUp != nil || !rate.isUnlimited }

  /// Seconds after the start for each of `count` requests, ascending; all 0 without a rate.
  ///
  /// As in vLLM, the last is due when gaps of exactly one over the rate would make it due, whatever the seed: the gaps are
  /// scaled to that, so that runs with different seeds carry the same load.
  package func times(_ count: Int) -> [Double] {
    guard isOpen, count > 0 else { return Array(repeating: 0, count: count) }
    let even = (0..<count).map { 1 / (rampUp?.perSecond(at: Double($0) / Double(max(count - 1, 1))) ?? rate.perSecond) }
    var random = SeededRandom(seed: seed)
    var time = 0.0
    let times = even.map { gap in
      time += gap * (burstiness.isInfinite ? 1 : random.gamma(shape: burstiness))
      return time
    }
    let scale = even.reduce(0, +) / time
    return times.map { $0 * scale }
  }
}

/// A rate that rises (or falls) from the first request to the last; names are vLLM's.
package struct RampUp: Sendable, Equatable {
  package enum Strategy: String, Sendable, CaseIterable {
    case linear
    case exponential
  }

  package let strategy: Strategy
  package let start, end: RequestRate

  /// - Parameters:
  ///   - start: requests per second at the first request; not unlimited, like `end`.
  ///   - end: at the last.
  package init(_ strategy: Strategy, from start: RequestRate, to end: RequestRate) {
    (self.strategy, self.start, self.end) = (strategy, start, end)
  }

  /// Requests per second when `progress` of all requests, 0 to 1, are sent.
  func perSecond(at progress: Double) -> Double {
    switch strategy {
    case .linear: start.perSecond + (end.perSecond - start.perSecond) * progress
    case .exponential: start.perSecond * pow(end.perSecond / start.perSecond, progress)
    }
  }
}
