/// How a weight matrix is stored in memory.
///
/// Matrix products accumulate in 32-bit floats (or exactly, in 32-bit integers, within one scale group).
public enum WeightFormat: String, Sendable, CaseIterable {
  /// Brain floats as in the checkpoint: 16 bits a weight, no loss.
  case bfloat16
  /// 8-bit integers with one scale per output row; activations are quantised per row.
  case int8
  /// 4-bit integers in groups along the input dimension, one scale per group; activations are quantised per row.
  case int4
}

extension WeightFormat {
  /// The format of the output matrix beside layers of this one.
  ///
  /// The head decides between tokens directly; at four bits it would lose more than all layers together.
  public var headFormat: WeightFormat { self == .int4 ? .int8 : self }
}
