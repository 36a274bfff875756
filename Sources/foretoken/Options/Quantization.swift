public import ArgumentParser
public import Tensor

/// `--quantization`.
extension Quantization: ExpressibleByArgument {}
