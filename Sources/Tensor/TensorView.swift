internal import CForetokenKernels

/// A tensor inside a mapped file: row-major, read-only, little-endian. Keeps its file mapped.
@safe package struct TensorView: Sendable {
  /// The tensor's name, for messages.
  package let name: String
  package let elementType: ElementType
  /// Extent of each dimension, outermost first.
  package let shape: [Int]
  /// Where the elements lie in `file`.
  package let byteRange: Range<Int>
  /// The file that holds the elements.
  package let file: MappedFile
  /// In which order the file has the rows.
  package let rowOrder: RowOrder

  /// Where a file puts the rows (the outermost dimension) of a tensor.
  package enum RowOrder: Sendable, Equatable {
    /// One after the other.
    case natural
    /// Within each head, row `i` of the first half is followed by row `i` of the second, as llama.cpp wants the queries
    /// and keys of Llama models: its RoPE turns neighbouring channels, where Hugging Face's turns channels half a head
    /// apart.
    case pairedHalves(headSize: Int)

    /// Where the file has row `row`.
    func place(of row: Int) -> Int {
      guard case .pairedHalves(let headSize) = self else { return row }
      let (head, channel) = row.quotientAndRemainder(dividingBy: headSize)
      let (half, pair) = channel.quotientAndRemainder(dividingBy: headSize / 2)
      return head * headSize + 2 * pair + half
    }
  }

  /// A view of `byteRange` of `file`, or `nil` when the range is outside the file, its length is not that of `shape`
  /// elements of `elementType`, rows are not of whole blocks, or the row order does not fit the rows.
  package init?(
    name: String, elementType: ElementType, shape: [Int], byteRange: Range<Int>, file: MappedFile,
    rowOrder: RowOrder = .natural
  ) {
    guard let count = elementType.byteCount(ofShape: shape), count == byteRange.count, byteRange.lowerBound >= 0,
      byteRange.upperBound <= file.byteCount
    else { return nil }
    if case .pairedHalves(let headSize) = rowOrder {
      guard headSize > 0, headSize % 2 == 0, let rows = shape.first, rows % headSize == 0 else { return nil }
    }
    self.name = name
    self.elementType = elementType
    self.shape = shape
    self.byteRange = byteRange
    self.file = file
    self.rowOrder = rowOrder
  }

  /// Number of elements.
  package var count: Int { shape.reduce(1, *) }

  /// Elements of one row, the product of all extents but the outermost.
  private var rowLength: Int { shape.dropFirst().reduce(1, *) }

  /// Where row `row` lies in the file.
  func byteRange(ofRow row: Int) -> Range<Int> {
    let size = rowLength / elementType.blockLength * elementType.blockByteCount
    let start = byteRange.lowerBound + rowOrder.place(of: row) * size
    return start..<start + size
  }

  /// The elements `range` (flat, row-major) as single-precision floats. Every format converts exactly.
  ///
  /// - Precondition: `range` lies within `0..<count`, on whole blocks, and on whole rows where their order is not natural.
  package func floats(in range: Range<Int>) -> [Float] {
    unsafe [Float](unsafeUninitializedCapacity: range.count) { output, initializedCount in
      unsafe copyFloats(in: range, to: output)
      initializedCount = range.count
    }
  }

  /// All elements as single-precision floats.
  package func floats() -> [Float] { floats(in: 0..<count) }

  /// Writes the elements `range` as single-precision floats to the start of `output`.
  @unsafe package func copyFloats(in range: Range<Int>, to output: UnsafeMutableBufferPointer<Float>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= count && output.count >= range.count)
    guard let target = output.baseAddress, !range.isEmpty else { return }
    guard case .pairedHalves = rowOrder else {
      let (length, size) = (elementType.blockLength, elementType.blockByteCount)
      precondition(range.lowerBound % length == 0 && range.count % length == 0)
      let start = byteRange.lowerBound + range.lowerBound / length * size
      return unsafe convert(start..<start + range.count / length * size, count: range.count, to: target)
    }
    let width = rowLength
    precondition(range.lowerBound % width == 0 && range.count % width == 0)
    let first = range.lowerBound / width
    for row in first..<range.upperBound / width {
      unsafe convert(byteRange(ofRow: row), count: width, to: target + (row - first) * width)
    }
  }

  @unsafe private func convert(_ bytes: Range<Int>, count: Int, to output: UnsafeMutablePointer<Float>) {
    guard let source = unsafe file.buffer(bytes)?.baseAddress else { return }
    unsafe ft_to_float(elementType.kernelValue, source, count, output)
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
