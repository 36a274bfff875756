public import ArgumentParser
public import Tensor

extension Quantization: ExpressibleByArgument {
  /// What weights are called in sentences.
  var name: String {
    switch self {
    case .none: "bf16"
    case .file: "as their files have them"
    case .int8, .int4: rawValue
    }
  }
}
