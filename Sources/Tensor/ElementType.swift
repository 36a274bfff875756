internal import CForetokenKernels

/// The number formats that weights come in. Raw values are the files' own names.
///
/// Those with a Q and MXFP4 are ggml's block formats: 32 or 256 neighbouring weights of a row share their scales. The last
/// five are what matrices that safetensors files have in parts (`MatrixParts`) are made into, row by row.
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
  /// Four bits in unequal steps, a scale for 32.
  case iq4_NL = "IQ4_NL"
  /// The same with scales in six bits, in blocks of 256.
  case iq4_XS = "IQ4_XS"
  /// Four-bit floats, a power of two for 32.
  case mxfp4 = "MXFP4"
  /// Minus one, zero or one, a scale for 256.
  case tq1_0 = "TQ1_0"
  /// The same in two bits each.
  case tq2_0 = "TQ2_0"
  /// Entries of a codebook of eight weights with signs, 2.06 bits a weight; a scale for 32.
  case iq2_XXS = "IQ2_XXS"
  /// The same with a larger codebook, 2.31 bits; a scale for 16.
  case iq2_XS = "IQ2_XS"
  /// The same with one that is larger still, 2.56 bits.
  case iq2_S = "IQ2_S"
  /// Entries of a codebook of four weights, 3.06 bits; a scale for 32.
  case iq3_XXS = "IQ3_XXS"
  /// The same with a larger codebook, 3.44 bits.
  case iq3_S = "IQ3_S"
  /// Eight of three values at a time, 1.56 bits; a scale and an offset for 32.
  case iq1_S = "IQ1_S"
  /// The same with a scale for 16 and an offset for 8, 1.75 bits.
  case iq1_M = "IQ1_M"
  /// At most four bits around zero, with scales.
  case int4 = "INT4"
  /// Four bits with scales and zero points: as far as 15 from zero on either side.
  case uint4 = "UINT4"
  /// Eight bits around zero, with scales.
  case int8 = "INT8"
  /// Eight-bit floats with scales.
  case float8 = "FP8"
  /// Integers that no group of 32 shares a scale of, or that reach beyond eight bits: as floats.
  case scattered = "SCATTERED"

  /// Whether no file has it as it is: rows of matrices in parts are made into it.
  package var isMade: Bool {
    switch self {
    case .int4, .uint4, .int8, .float8, .scattered: true
    case .float32, .float16, .bfloat16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_NL,
      .iq4_XS, .mxfp4, .tq1_0, .tq2_0, .iq2_XXS, .iq2_XS, .iq2_S, .iq3_XXS, .iq3_S, .iq1_S, .iq1_M:
      false
    }
  }

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

  /// The format in memory that holds these weights without a second rounding; of single and half precision, of eight-bit
  /// floats and of what a format has scales of that halves do not hold, the nearest.
  package var heldFormat: WeightFormat {
    switch self {
    case .float32, .float16, .bfloat16, .float8, .scattered: .bfloat16
    case .q8_0, .int8, .iq2_XXS, .iq2_XS, .iq2_S: .int8
    case .q4_0, .int4, .tq1_0, .tq2_0: .q4_0
    case .q4_1: .q4_1
    case .q5_0, .uint4, .iq3_S, .iq1_S: .q5_0
    case .q5_1: .q5_1
    case .q2_K, .q3_K: .q3_K
    case .q4_K: .int4
    case .q5_K: .q5_K
    case .q6_K, .iq3_XXS, .iq1_M: .q6_K
    case .iq4_NL, .iq4_XS: .iq4_NL
    case .mxfp4: .mxfp4
    }
  }

  /// Bits of one weight, without what it shares.
  var bits: Int {
    switch self {
    case .float32: 32
    case .float16, .bfloat16: 16
    case .q8_0, .int8, .float8, .scattered: 8
    case .q6_K: 6
    case .q5_0, .q5_1, .q5_K: 5
    case .q4_0, .q4_1, .q4_K, .iq4_NL, .iq4_XS, .mxfp4, .int4, .uint4: 4
    case .q3_K, .iq3_XXS, .iq3_S: 3
    case .q2_K, .tq1_0, .tq2_0, .iq2_XXS, .iq2_XS, .iq2_S, .iq1_S, .iq1_M: 2
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
    case .iq4_NL: FT_IQ4_NL
    case .iq4_XS: FT_IQ4_XS
    case .mxfp4: FT_MXFP4
    case .tq1_0: FT_TQ1_0
    case .tq2_0: FT_TQ2_0
    case .iq2_XXS: FT_IQ2_XXS
    case .iq2_XS: FT_IQ2_XS
    case .iq2_S: FT_IQ2_S
    case .iq3_XXS: FT_IQ3_XXS
    case .iq3_S: FT_IQ3_S
    case .iq1_S: FT_IQ1_S
    case .iq1_M: FT_IQ1_M
    case .int4, .uint4, .int8: FT_INTEGERS
    case .float8, .scattered: FT_FLOAT32
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
