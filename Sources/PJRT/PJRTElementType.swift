internal import CPJRT

/// Number formats of buffers.
public enum PJRTElementType: Sendable, Equatable {
  case float32, bfloat16, int32, uint32

  /// Bytes per element.
  public var byteCount: Int { self == .bfloat16 ? 2 : 4 }

  var rawValue: Int32 {
    switch self {
    case .float32: Int32(FT_PJRT_FLOAT32)
    case .bfloat16: Int32(FT_PJRT_BFLOAT16)
    case .int32: Int32(FT_PJRT_INT32)
    case .uint32: Int32(FT_PJRT_UINT32)
    }
  }
}
