internal import CPJRT

/// Number formats of buffers.
package enum PJRTElementType: Sendable, Equatable {
  case float32, float64, bfloat16, int32, uint32

  /// Bytes per element.
  package var byteCount: Int {
    switch self {
    case .bfloat16: 2
    case .float32, .int32, .uint32: 4
    case .float64: 8
    }
  }

  var rawValue: Int32 {
    switch self {
    case .float32: Int32(FT_PJRT_FLOAT32)
    case .float64: Int32(FT_PJRT_FLOAT64)
    case .bfloat16: Int32(FT_PJRT_BFLOAT16)
    case .int32: Int32(FT_PJRT_INT32)
    case .uint32: Int32(FT_PJRT_UINT32)
    }
  }
}
