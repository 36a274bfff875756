internal import ArgumentParser
internal import Tensor

/// Instruction sets by the names that `--kernels` takes.
enum Kernels: String, ExpressibleByArgument, CaseIterable {
  case portable, avx2, avx512

  var instructionSet: InstructionSet {
    switch self {
    case .portable: .portable
    case .avx2: .avx2
    case .avx512: .avx512
    }
  }
}
