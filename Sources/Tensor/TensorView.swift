/// The number formats that weights come in.
public enum ElementType: String, Sendable, CaseIterable {
  /// IEEE single precision.
  case float32 = "F32"
  /// IEEE half precision.
  case float16 = "F16"
  /// Brain float: the upper half of a single.
  case bfloat16 = "BF16"

  /// Bytes of one element.
  public var byteCount: Int { self == .float32 ? 4 : 2 }
}

/// A tensor inside a mapped file: row-major, read-only, little-endian. Keeps its file mapped.
@safe public struct TensorView: Sendable {
  /// The tensor's name in its file, for messages.
  public let name: String
  /// Format of each element.
  public let elementType: ElementType
  /// Extent of each dimension, outermost first.
  public let shape: [Int]
  /// Where the elements lie in `file`.
  public let byteRange: Range<Int>
  /// The file that holds the elements.
  public let file: MappedFile

  /// A view of `byteRange` of `file`, or `nil` when the range is outside the file or its length is not that of
  /// `shape` elements of `elementType`.
  public init?(name: String, elementType: ElementType, shape: [Int], byteRange: Range<Int>, file: MappedFile) {
    var count = elementType.byteCount
    for extent in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !overflow else { return nil }
      count = product
    }
    guard count == byteRange.count, byteRange.lowerBound >= 0, byteRange.upperBound <= file.byteCount else {
      return nil
    }
    self.name = name
    self.elementType = elementType
    self.shape = shape
    self.byteRange = byteRange
    self.file = file
  }

  /// Number of elements.
  public var count: Int { byteRange.count / elementType.byteCount }

  /// The elements `range` (flat, row-major) as single-precision floats. Every format converts exactly.
  ///
  /// - Precondition: `range` lies within `0..<count`.
  public func floats(in range: Range<Int>) -> [Float] {
    unsafe [Float](unsafeUninitializedCapacity: range.count) { output, initializedCount in
      unsafe copyFloats(in: range, to: output)
      initializedCount = range.count
    }
  }

  /// All elements as single-precision floats.
  public func floats() -> [Float] { floats(in: 0..<count) }

  /// Writes the elements `range` as single-precision floats to the start of `output`.
  @unsafe package func copyFloats(in range: Range<Int>, to output: UnsafeMutableBufferPointer<Float>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= count && output.count >= range.count)
    let size = elementType.byteCount
    let start = byteRange.lowerBound + range.lowerBound * size
    guard let bytes = unsafe file.buffer(start..<start + range.count * size) else { return }
    for index in 0..<range.count {
      switch elementType {
      case .float32:
        unsafe output[index] = Float(
          bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)))
      case .float16:
        let bits = UInt16(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
        unsafe output[index] = Self.single(fromHalf: bits)
      case .bfloat16:
        let bits = UInt16(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
        unsafe output[index] = Float(bitPattern: UInt32(bits) << 16)
      }
    }
  }

  /// IEEE half precision to single precision, exactly (subnormals, infinities and NaN included).
  package static func single(fromHalf bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10 & 0x1F)
    let fraction = UInt32(bits & 0x3FF)
    switch exponent {
    case 0:
      let magnitude = Float(fraction) * 0x1p-24
      return Float(bitPattern: sign | magnitude.bitPattern)
    case 31: return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
    default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }
}
