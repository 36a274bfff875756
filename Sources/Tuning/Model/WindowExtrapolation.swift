/// Works out other windows from what was measured with one.
///
/// With a window of W, a verification takes C(W) = TPOT · L(W) and yields L(W) = 1 + Σ r_i tokens, where r_i is the share
/// of verifications whose i-th proposal was accepted. Each proposal less saves the same time c, so
/// C(w) = C(0) + w · c, and TPOT(w) = C(w) / L(w). Assumed: acceptance at a position does not depend on the window.
package struct WindowExtrapolation: Sendable, Equatable {
  /// r_i.
  package let rates: [Double]
  /// C(0): seconds of a step without proposals.
  package let plainSeconds: Double
  /// c: seconds that one more proposal costs.
  package let proposalSeconds: Double

  /// From a measured window and measured plain decoding.
  ///
  /// - Parameters:
  ///   - rates: r_i, for every position of the window.
  ///   - secondsPerToken: TPOT with the window.
  ///   - plainSecondsPerToken: TPOT without.
  package init?(rates: [Double], secondsPerToken: Double, plainSecondsPerToken: Double) {
    guard !rates.isEmpty, secondsPerToken > 0, plainSecondsPerToken > 0 else { return nil }
    self.rates = rates
    plainSeconds = plainSecondsPerToken
    let cycle = secondsPerToken * (1 + rates.reduce(0, +))
    proposalSeconds = max(0, (cycle - plainSecondsPerToken) / Double(rates.count))
  }

  /// L(w).
  package func length(_ window: Int) -> Double { 1 + rates.prefix(window).reduce(0, +) }

  /// TPOT(w) in seconds.
  package func secondsPerToken(_ window: Int) -> Double {
    (plainSeconds + Double(window) * proposalSeconds) / length(window)
  }

  /// L at which w breaks even.
  package func breakEvenLength(_ window: Int) -> Double { 1 + Double(window) * proposalSeconds / plainSeconds }

  /// The window from 0 to W with the least time per token.
  package var best: Int { (0...rates.count).min { secondsPerToken($0) < secondsPerToken($1) } ?? 0 }
}
