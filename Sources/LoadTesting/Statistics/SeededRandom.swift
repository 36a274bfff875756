internal import Foundation

/// Random numbers that a seed fixes, on every machine (SplitMix64; Steele, Lea, Flood 2014).
package struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// Above 0 and at most 1.
  package mutating func uniform() -> Double { (Double(next() >> 11) + 1) * 0x1p-53 }

  /// With mean 0 and variance 1 (Box and Muller 1958).
  package mutating func normal() -> Double { (-2 * log(uniform())).squareRoot() * cos(2 * .pi * uniform()) }

  /// A gamma variate with scale 1 (Marsaglia and Tsang 2000).
  package mutating func gamma(shape: Double) -> Double {
    guard shape >= 1 else { return gamma(shape: shape + 1) * pow(uniform(), 1 / shape) }
    let d = shape - 1.0 / 3
    let c = 1 / (9 * d).squareRoot()
    while true {
      let x = normal()
      let v = pow(1 + c * x, 3)
      if v > 0, log(uniform()) < 0.5 * x * x + d - d * v + d * log(v) { return d * v }
    }
  }
}
