internal import CForetokenKernels

/// The kernels' variants. All of them give the same bits; they differ in speed.
public enum InstructionSet: String, Sendable, CaseIterable {
  /// Plain C.
  case portable
  /// 256-bit vectors with fused multiply-add.
  case avx2
  /// The same with byte dot products (VNNI).
  case avxVNNI = "avx_vnni"
  /// 512-bit vectors with byte dot products (VNNI).
  case avx512
  /// The same with products of byte matrices (AMX).
  case amx
  /// 128-bit vectors with byte dot products (AArch64).
  case neon
  /// The same with products of byte matrices (I8MM).
  case neonI8MM = "neon_i8mm"

  /// What this machine can run, slowest first.
  public static let available: [InstructionSet] = allCases.filter { ft_is_available($0.kernelValue) }

  /// The fastest that this machine can run.
  public static var best: InstructionSet { available.last ?? .portable }

  var kernelValue: ft_instruction_set {
    switch self {
    case .portable: FT_PORTABLE
    case .avx2: FT_AVX2
    case .avxVNNI: FT_AVX_VNNI
    case .avx512: FT_AVX512
    case .amx: FT_AMX
    case .neon: FT_NEON
    case .neonI8MM: FT_NEON_I8MM
    }
  }
}
