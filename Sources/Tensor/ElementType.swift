internal import CForetokenKernels

/// The number formats that weights come in. Raw values are the files' own names.
///
/// Those with a Q are ggml's block formats: 32 or 256 neighbouring weights of a row share their scales.
package enum ElementType: String, Sendable, CaseIterable {
  /// IEEE single precision.
  case float32 = "F32"
  /// IEEE half precision.
  case float16 = "F16"
  /// bfloat16: the upper half of a single.
  case bfloat16 = "BF16"
  /// Four bits, a scale for 32.
  case q4_0 = "Q4_0"
  /// Four bits, a scale and an offset for 32.
  case q4_1 = "Q4_1"
  /// Five bits, a scale for 32.
  case q5_0 = "Q5_0"
  /// Five bits, a scale and an offset for 32.
  case q5_1 = "Q5_1"
  /// Eight bits, a scale for 32.
  case q8_0 = "Q8_0"
  /// Two bits, a scale and an offset for 16, in blocks of 256 as all that follow.
  case q2_K = "Q2_K"
  /// Three bits, a scale for 16.
  case q3_K = "Q3_K"
  /// Four bits, a scale and an offset for 32.
  case q4_K = "Q4_K"
  /// Five bits, a scale and an offset for 32.
  case q5_K = "Q5_K"
  /// Six bits, a scale for 16.
  case q6_K = "Q6_K"

  /// Elements that lie in one block; 1 for plain numbers.
  package var blockLength: Int { ft_block_weights(kernelValue) }

  /// Bytes of one block.
  package var blockByteCount: Int { ft_block_bytes(kernelValue) }

  /// Bytes of a tensor of this type; `nil` when there is none of that shape: an extent is negative, the size is no number,
  /// or rows are not of whole blocks.
  package func byteCount(ofShape shape: [Int]) -> Int? {
    guard (shape.last ?? 1) % blockLength == 0 else { return nil }
    var count = blockByteCount
    for (index, extent) in shape.enumerated() {
      let (product, overflow) = count.multipliedReportingOverflow(
        by: index == shape.count - 1 ? extent / blockLength : extent)
      guard extent >= 0, !overflow else { return nil }
      count = product
    }
    return count
  }

  /// The format in memory that holds these weights without a second rounding; of single and half precision, the nearest.
  package var heldFormat: WeightFormat {
    switch self {
    case .float32, .float16, .bfloat16: .bfloat16
    case .q8_0: .int8
    case .q4_0: .q4_0
    case .q4_1: .q4_1
    case .q5_0: .q5_0
    case .q5_1: .q5_1
    case .q2_K, .q3_K: .q3_K
    case .q4_K: .int4
    case .q5_K: .q5_K
    case .q6_K: .q6_K
    }
  }

  /// Bits of one weight, without what it shares.
  var bits: Int {
    switch self {
    case .float32: 32
    case .float16, .bfloat16: 16
    case .q8_0: 8
    case .q6_K: 6
    case .q5_0, .q5_1, .q5_K: 5
    case .q4_0, .q4_1, .q4_K: 4
    case .q3_K: 3
    case .q2_K: 2
    }
  }

  var kernelValue: ft_element {
    switch self {
    case .float32: FT_FLOAT32
    case .float16: FT_FLOAT16
    case .bfloat16: FT_BFLOAT16
    case .q4_0: FT_Q4_0
    case .q4_1: FT_Q4_1
    case .q5_0: FT_Q5_0
    case .q5_1: FT_Q5_1
    case .q8_0: FT_Q8_0
    case .q2_K: FT_Q2_K
    case .q3_K: FT_Q3_K
    case .q4_K: FT_Q4_K
    case .q5_K: FT_Q5_K
    case .q6_K: FT_Q6_K
    }
  }
}

extension Float {
  /// The bits of the nearest bfloat16; of two as near those of the even one.
  @inlinable package var bfloat16Bits: UInt16 {
    guard !isNaN else { return UInt16(bitPattern >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bitPattern &+ 0x7FFF &+ (bitPattern >> 16 & 1)) >> 16)
  }
}
