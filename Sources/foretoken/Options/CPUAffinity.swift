public import ArgumentParser
public import Tensor

/// `--cpu-affinity`.
extension CPUAffinity: ExpressibleByArgument {}
