package import Decoding
internal import Foundation

/// Estimates how probable it is that the target accepts a proposal, from what it accepted before.
///
/// Two factors: what the proposer's own confidence has been worth so far, over all requests (calibration by level of
/// confidence), and how this request compares with that. Both forget with time, so that they follow a sequence that
/// changes its character. `docs/speculation.md` derives the formulae.
package struct AcceptanceEstimator {
  /// Weighted counts of proposals that were reached.
  private struct Tally {
    var accepted = 0.0
    var reached = 0.0

    mutating func decay(_ factor: Double) {
      accepted *= factor
      reached *= factor
    }
  }

  /// A request's recent proposals.
  private struct History {
    var tally = Tally()
    /// What the calibration alone expected to be accepted.
    var expected = 0.0
    /// Tokens since something was proposed.
    var silence = 0
  }

  /// The share that a proposer is expected to get right before anything is known.
  private let prior: Double
  /// Proposals that the average of all requests is worth in a request's own estimate.
  private let sharedWeight: Double
  /// By level of confidence: of first proposals, and of those that follow accepted ones, which are right more often.
  private var levels = Array(repeating: Array(repeating: Tally(), count: Self.edges.count + 1), count: 2)
  private var overall = Tally()
  private var histories: [RequestID: History] = [:]

  /// Confidences at which one level ends and the next begins: closer where a window lives or dies.
  private static let edges = [0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.87, 0.92, 0.96, 0.985]
  /// Proposals that the prior is worth.
  private static let priorWeight = 6.0
  /// What a request's accepted and expected proposals count as one, before there are any.
  private static let ratioWeight = 3.0
  /// What an older proposal counts, per newer one: of one request, and of all.
  private static let requestMemory = 0.92
  private static let sharedMemory = 0.99
  /// What evidence counts, per token that went by without a proposal.
  private static let silentMemory = 0.99
  private static let most = 0.995

  /// An estimator for a proposer that is right about `prior` of the time.
  ///
  /// - Parameter sharedWeight: proposals that the average of all requests is worth in a request's own estimate.
  package init(prior: Double, sharedWeight: Double = 3) { (self.prior, self.sharedWeight) = (prior, sharedWeight) }

  /// Probability that proposal `position` of a window, of this confidence, is accepted, given that those before it were.
  package func probability(confidence: Double, at position: Int, for request: RequestID) -> Double {
    min(Self.most, calibrated(confidence, at: position) * ratio(for: request))
  }

  /// Probability that the next proposal is accepted, before it has been made.
  package func probability(for request: RequestID) -> Double {
    let history = histories[request] ?? History()
    let shared = (overall.accepted + Self.priorWeight * prior) / (overall.reached + Self.priorWeight)
    let own = history.tally
    return min(Self.most, (own.accepted + sharedWeight * shared) / (own.reached + sharedWeight))
  }

  /// Tokens of the request since something was proposed for it.
  package func silence(of request: RequestID) -> Int { histories[request]?.silence ?? 0 }

  /// Counts a proposal's fate: the first `accepted` tokens stood, and the one after them was reached.
  package mutating func record(_ confidences: [Double], accepted: Int, for request: RequestID) {
    var history = histories[request] ?? History()
    history.silence = 0
    for (index, confidence) in confidences.prefix(accepted + 1).enumerated() {
      let stood = index < accepted ? 1.0 : 0.0
      history.tally.decay(Self.requestMemory)
      history.expected = history.expected * Self.requestMemory + calibrated(confidence, at: index)
      history.tally.accepted += stood
      history.tally.reached += 1
      let level = Self.level(of: confidence)
      levels[min(index, 1)][level].decay(Self.sharedMemory)
      levels[min(index, 1)][level].accepted += stood
      levels[min(index, 1)][level].reached += 1
      overall.decay(Self.sharedMemory)
      overall.accepted += stood
      overall.reached += 1
    }
    histories[request] = history
  }

  /// Lets what is known of the request age by `tokens` tokens that nothing was proposed for.
  package mutating func pass(_ tokens: Int, for request: RequestID) {
    var history = histories[request] ?? History()
    let factor = pow(Self.silentMemory, Double(tokens))
    history.tally.decay(factor)
    history.expected *= factor
    history.silence += tokens
    histories[request] = history
  }

  package mutating func forget(_ request: RequestID) { histories[request] = nil }

  /// What a confidence has been worth, over all requests; itself, before there is evidence.
  private func calibrated(_ confidence: Double, at position: Int) -> Double {
    let tally = levels[min(position, 1)][Self.level(of: confidence)]
    return (tally.accepted + Self.priorWeight * confidence) / (tally.reached + Self.priorWeight)
  }

  /// How the request's proposals fared against what the calibration expected of them.
  private func ratio(for request: RequestID) -> Double {
    guard let history = histories[request] else { return 1 }
    return (history.tally.accepted + Self.ratioWeight) / (history.expected + Self.ratioWeight)
  }

  private static func level(of confidence: Double) -> Int { edges.firstIndex { confidence < $0 } ?? edges.count }
}
