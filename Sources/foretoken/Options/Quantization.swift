internal import ArgumentParser
internal import Tensor

/// Formats by vLLM's flag: `--quantization none|int8|int4`.
enum Quantization: String, ExpressibleByArgument, CaseIterable {
  case none, int8, int4

  /// The format by the name of its numbers.
  var name: String { self == .none ? "bf16" : rawValue }

  init(_ format: WeightFormat) {
    self =
      switch format {
      case .bfloat16: .none
      case .int8: .int8
      case .int4: .int4
      }
  }

  var format: WeightFormat {
    switch self {
    case .none: .bfloat16
    case .int8: .int8
    case .int4: .int4
    }
  }
}
