package import Tensor

extension Quantization {
  /// What weights are called in sentences.
  package var name: String {
    switch self {
    case .none: "bf16"
    case .file: "as their files have them"
    case .int8, .int4: rawValue
    }
  }
}
