public import Tensor
public import Tokenization

extension Activations {
  /// The probability of `token` in the softmax of row `row` over `temperature`: how sure a draft is of its proposal.
  ///
  /// Good to about four digits: it steers how much is proposed, and never what the answer is.
  public func confidence(in token: TokenID, row: Int, temperature: Double) -> Double {
    let scale = Float(1 / max(temperature, 1e-3) / 0.6931471805599453)
    return withRow(row) { values in
      let peak = values[argmax(row: row)]
      var sum: Float = 0
      unsafe values.withUnsafeBufferPointer { values in
        let whole = values.count / 16 * 16
        var sums = SIMD16<Float>.zero
        for start in stride(from: 0, to: whole, by: 16) {
          let lanes = unsafe UnsafeRawPointer(values.baseAddress.unsafelyUnwrapped + start)
            .loadUnaligned(as: SIMD16<Float>.self)
          sums += Self.powerOfTwo((lanes - peak) * scale)
        }
        sum = sums.sum()
        for index in whole..<values.count {
          sum += unsafe Self.powerOfTwo(SIMD16(repeating: (values[index] - peak) * scale))[0]
        }
      }
      return Double(Self.powerOfTwo(SIMD16(repeating: (values[Int(token)] - peak) * scale))[0] / sum)
    }
  }

  /// 2 to the power of `x ≤ 0`: the whole part goes into the exponent, a cubic approximates the rest.
  private static func powerOfTwo(_ x: SIMD16<Float>) -> SIMD16<Float> {
    // Adding 1.5 · 2²³ rounds to a whole number, which then stands in the low bits.
    let magic: Float = 12_582_912
    let shifted = x.clamped(lowerBound: SIMD16(repeating: -126), upperBound: .zero) + magic
    let rest = x.clamped(lowerBound: SIMD16(repeating: -126), upperBound: .zero) - (shifted - magic)
    let bits = unsafe unsafeBitCast(shifted, to: SIMD16<UInt32>.self)
    let whole = unsafe unsafeBitCast((bits &+ 127) &<< 23, to: SIMD16<Float>.self)
    return whole * (1 + rest * (0.693_147_2 + rest * (0.240_226_5 + rest * 0.055_504_1)))
  }
}
