public import ArgumentParser
public import Tensor

/// `--kernels`.
extension InstructionSet: ExpressibleByArgument {}
