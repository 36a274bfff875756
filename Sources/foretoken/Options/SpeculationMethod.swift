public import ArgumentParser
public import Decoding

extension SpeculationMethod: ExpressibleByArgument {}
