internal import CForetokenKernels

/// Which tokens a draw with Gumbel noise may pick: a test of integers, so that only they need logarithms.
package enum DrawCandidates {
  /// Tokens per call: a multiple of 4.
  package static let blockSize = 1024

  /// The token of the largest of `logits`; the lowest of several, and never a NaN's.
  package static func argmax(_ logits: Span<Float>) -> Int {
    unsafe logits.withUnsafeBufferPointer { values in
      guard let start = values.baseAddress else { return 0 }
      return unsafe ft_argmax(InstructionSet.best.kernelValue, start, values.count)
    }
  }

  /// Calls `body`, in ascending order, with the tokens of a block of `logits` whose logit over temperature and noise may
  /// sum to `least` or more; others are among them.
  ///
  /// Token t's noise is -log(-log(u)), where u is the middle of interval w of 2^32 in (0, 1) and w is word t % 4 of
  /// Philox4x32-10 under `key` at the counter (t / 4, position, 0). Since e^-x >= 1 - x, a sum of `least` takes
  /// 1 - u <= e^(logit / temperature - least), which is a comparison of powers of two.
  ///
  /// - Parameters:
  ///   - block: tokens `block * blockSize` up to the next block's, or the last.
  ///   - scratch: room for `blockSize` tokens.
  /// - Returns: false when these numbers are beyond single precision; nothing was called then.
  package static func visit(
    _ logits: Span<Float>, block: Int, key: UInt64, position: Int, temperature: Double, least: Double,
    scratch: inout [UInt32], _ body: (Int) -> Void
  ) -> Bool {
    let first = block * blockSize
    let count = min(blockSize, logits.count - first)
    precondition(first >= 0 && count > 0 && scratch.count >= blockSize)
    let unit = 1.4426950408889634
    let scale = unit / temperature
    // Rounding: of logits near the limit, times the scale, and of the sum.
    let limit = least * unit - 0.05 - 1e-6 * abs(least * unit)
    guard scale < 1e30, abs(limit) < 1e30 else { return false }
    let found = unsafe logits.withUnsafeBufferPointer { values in
      unsafe scratch.withUnsafeMutableBufferPointer { scratch -> Int in
        guard let values = values.baseAddress, let room = scratch.baseAddress else { return 0 }
        return unsafe ft_draw_candidates(
          InstructionSet.best.kernelValue, values, first, count, key, UInt64(position), Float(scale), Float(limit), room
        )
      }
    }
    for index in 0..<found { body(Int(scratch[index])) }
    return true
  }
}
