internal import Foundation

/// The noise that decides a sampled token: standard Gumbel variates keyed by (seed, output position, token).
///
/// Adding it to scaled logits and taking the largest draws from their softmax. Draft and target see the same noise at
/// the same position, so the draft guesses the target's own sample rather than an independent one.
///
/// Source: Daliri, Musco, Suresh, "Coupling without communication and drafter-invariant speculative decoding" (2024).
struct GumbelNoise {
  /// Every value lies between these bounds: they are the values at the ends of the 32-bit uniform grid.
  static let bounds: ClosedRange<Double> = -log(33 * log(2.0))...(33 * log(2.0) + 1e-9)

  private let philox: Philox
  private let position: UInt64
  private var group: UInt32?
  private var words = SIMD4<UInt32>()

  /// Noise for the output position `position` (0 is the first generated token) of the request with `seed`.
  init(seed: UInt64, position: Int) {
    philox = Philox(key: seed)
    self.position = UInt64(position)
  }

  /// The noise of `token`. Tokens asked for in ascending order share work in groups of four.
  mutating func value(of token: Int) -> Double {
    let wanted = UInt32(truncatingIfNeeded: token >> 2)
    if group != wanted {
      group = wanted
      words = philox.words(
        at: SIMD4(
          wanted, UInt32(truncatingIfNeeded: position), UInt32(truncatingIfNeeded: position >> 32),
          DrawPurpose.sample.rawValue))
    }
    let uniform = (Double(words[token & 3]) + 0.5) * 0x1p-32
    return -log(-log(uniform))
  }

}

/// What a random number decides: the last counter word, so that draws for different purposes never share bits.
public enum DrawPurpose: UInt32, Sendable {
  /// The token itself.
  case sample = 0
  /// A draft's token, when draft and target draw independently.
  case draft = 1
  /// Whether a proposal stands, when draft and target draw independently.
  case accept = 2
  /// The token in place of a rejected proposal.
  case recover = 3
}
