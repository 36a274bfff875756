internal import CForetokenKernels

/// How a weight matrix is stored in memory.
///
/// Integer weights come in groups of 32 along the input dimension. Activations are quantised to eight bits with a scale
/// for each group, products within a group are summed exactly, in 32-bit integers, and groups in 32-bit floats. Formats
/// named like those of GGUF files hold their weights without a second rounding.
package enum WeightFormat: String, Sendable, CaseIterable {
  /// As in most checkpoints: 16 bits a weight.
  case bfloat16
  /// Eight bits and a scale for 32 weights: 8.5 bits a weight. Also for Q8_0 and
  /// integers of at most eight bits.
  case int8
  /// Four bits, scale and offset for 32 weights in eight bits each: 4.63 bits a weight. Also for Q4_K.
  case int4
  /// Four bits and a scale for 32 weights: 4.5 bits a weight. Also for TQ1_0, TQ2_0 and integers of at most four bits.
  case q4_0 = "Q4_0"
  /// Four bits, scale and offset for 32 weights: 5 bits a weight.
  case q4_1 = "Q4_1"
  /// Five bits and a scale for 32 weights: 5.5 bits a weight. Also for integers of four bits with zero points.
  case q5_0 = "Q5_0"
  /// Five bits, scale and offset for 32 weights: 6 bits a weight.
  case q5_1 = "Q5_1"
  /// Five bits, scale and offset for 32 weights in eight bits each: 5.63 bits a weight.
  case q5_K = "Q5_K"
  /// Six bits and a scale for 16 weights in eight bits: 6.56 bits a weight.
  case q6_K = "Q6_K"
  /// Four bits, scale and offset for 16 weights in eight bits each: 5.13 bits a weight. Also for Q2_K.
  case q3_K = "Q3_K"
  /// Four bits in unequal steps, a scale for 32 weights: 4.5 bits a weight. Also for IQ4_XS.
  case iq4_NL = "IQ4_NL"
  /// Four-bit floats, a scale for 32 weights: 4.5 bits a weight.
  case mxfp4 = "MXFP4"

  var kernelValue: ft_weight_format {
    switch self {
    case .bfloat16: FT_WEIGHT_BFLOAT16
    case .int8: FT_WEIGHT_INT8
    case .int4: FT_WEIGHT_INT4
    case .q4_0: FT_WEIGHT_Q4_0
    case .q4_1: FT_WEIGHT_Q4_1
    case .q5_0: FT_WEIGHT_Q5_0
    case .q5_1: FT_WEIGHT_Q5_1
    case .q5_K: FT_WEIGHT_Q5_K
    case .q6_K: FT_WEIGHT_Q6_K
    case .q3_K: FT_WEIGHT_Q3_K
    case .iq4_NL: FT_WEIGHT_IQ4_NL
    case .mxfp4: FT_WEIGHT_MXFP4
    }
  }

  /// Memory of a packed matrix of `rows` outputs and `columns` inputs, in bytes.
  package func packedByteCount(rows: Int, columns: Int) -> Int {
    (rows + Int(FT_PANEL) - 1) / Int(FT_PANEL) * ft_panel_bytes(kernelValue, columns)
  }
}

/// What a model's matrices become in memory (`--quantization`).
public enum Quantization: String, Sendable, CaseIterable {
  /// bfloat16, whatever the file has.
  case none
  /// Eight bits; weights that the file has in eight or fewer stay as they are.
  case int8
  /// Four bits, the output head eight; weights that the file has in four or fewer stay as they are.
  case int4
  /// What the file has: blocks of GGUF files keep their values, all else is bfloat16. The default.
  case file

  /// The format for weights that a file has as `element`.
  package func format(of element: ElementType, isHead: Bool = false) -> WeightFormat {
    let held = element.heldFormat
    switch self {
    case .none: return .bfloat16
    case .file: return held
    case .int8: return held == .bfloat16 ? .int8 : held
    case .int4:
      if isHead { return held == .bfloat16 ? .int8 : held }
      return held == .bfloat16 || element.bits > 4 ? .int4 : held
    }
  }
}
