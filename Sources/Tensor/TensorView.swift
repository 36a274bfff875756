internal import CForetokenKernels

/// A tensor inside a mapped file, or made of parts of files row by row: row-major, read-only, little-endian. Keeps its
/// files mapped.
@safe package struct TensorView: Sendable {
  /// The tensor's name, for messages.
  package let name: String
  package let elementType: ElementType
  /// Extent of each dimension, outermost first.
  package let shape: [Int]
  /// Where the elements lie in `file`; of one in parts, the place of none.
  package let byteRange: Range<Int>
  /// The file that holds the elements, or the first of the parts.
  package let file: MappedFile
  /// In which order the file has the rows.
  package let rowOrder: RowOrder
  /// What the rows are made of, where no file has them as they are, and the first of them that is the tensor's.
  let parts: (matrix: MatrixParts, firstRow: Int)?

  /// Where a file puts the rows (the outermost dimension) of a tensor.
  package enum RowOrder: Sendable, Equatable {
    /// One after the other.
    case natural
    /// Within each head, row `i` of the first half is followed by row `i` of the second, as llama.cpp wants the queries
    /// and keys of Llama models: its RoPE turns neighbouring channels, where Hugging Face's turns channels half a head
    /// apart.
    case pairedHalves(headSize: Int)
    /// In `count` groups of `size` rows, which have rows of other tensors too: the tensor's are those at `places` of every
    /// group, first all groups' at the first of these places, then all at the second.
    case groups(count: Int, size: Int, places: [Range<Int>])

    /// Where the file has row `row`.
    func place(of row: Int) -> Int {
      switch self {
      case .natural: return row
      case .pairedHalves(let headSize):
        let (head, channel) = row.quotientAndRemainder(dividingBy: headSize)
        let (half, pair) = channel.quotientAndRemainder(dividingBy: headSize / 2)
        return head * headSize + 2 * pair + half
      case .groups(let count, let size, let places):
        var row = row
        for place in places {
          let rows = count * place.count
          guard row >= rows else { return row / place.count * size + place.lowerBound + row % place.count }
          row -= rows
        }
        preconditionFailure("a row after the last")
      }
    }

    /// How many rows the file has for a tensor of `rows` rows; `nil` where the order does not fit so many.
    package func fileRows(for rows: Int) -> Int? {
      switch self {
      case .natural: return rows
      case .pairedHalves(let headSize):
        return headSize > 0 && headSize % 2 == 0 && rows % headSize == 0 ? rows : nil
      case .groups(let count, let size, let places):
        guard (1...1 << 24).contains(count), (1...1 << 24).contains(size),
          places.allSatisfy({ !$0.isEmpty && $0.lowerBound >= 0 && $0.upperBound <= size }),
          places.reduce(0, { $0 + $1.count }) <= size, places.reduce(0, { $0 + $1.count * count }) == rows
        else { return nil }
        return count * size
      }
    }

    /// The shape of what the file has for a tensor of `shape`; `nil` as above.
    func stored(_ shape: [Int]) -> [Int]? {
      guard self != .natural else { return shape }
      guard let rows = shape.first, let stored = fileRows(for: rows) else { return nil }
      return [stored] + shape.dropFirst()
    }
  }

  /// A view of `byteRange` of `file`, or `nil` when the range is outside the file, its length is not that of `shape`
  /// elements of `elementType` (with the rows of others that the row order passes over), rows are not of whole blocks, or
  /// the row order does not fit the rows.
  package init?(
    name: String, elementType: ElementType, shape: [Int], byteRange: Range<Int>, file: MappedFile,
    rowOrder: RowOrder = .natural
  ) {
    guard let stored = rowOrder.stored(shape), elementType.byteCount(ofShape: stored) == byteRange.count,
      byteRange.lowerBound >= 0, byteRange.upperBound <= file.byteCount
    else { return nil }
    self.name = name
    self.elementType = elementType
    self.shape = shape
    self.byteRange = byteRange
    self.file = file
    self.rowOrder = rowOrder
    parts = nil
  }

  /// A tensor whose rows are made of `parts` when they are read; `nil` when those give no tensor of `shape`.
  package init?(name: String, shape: [Int], parts: MatrixParts, rowOrder: RowOrder = .natural) {
    guard !shape.isEmpty, shape.last == parts.columns, let stored = rowOrder.stored(shape),
      parts.elementType.byteCount(ofShape: stored) != nil, stored.dropLast().reduce(1, *) == parts.rows,
      let file = parts.parts.first?.file
    else { return nil }
    self.init(name: name, shape: shape, file: file, parts: (parts, 0), rowOrder: rowOrder)
  }

  private init(
    name: String, shape: [Int], file: MappedFile, parts: (matrix: MatrixParts, firstRow: Int),
    rowOrder: RowOrder = .natural
  ) {
    (self.name, self.shape, self.file, self.parts) = (name, shape, file, parts)
    (elementType, byteRange, self.rowOrder) = (parts.matrix.elementType, 0..<0, rowOrder)
  }

  /// The tensor at `index` of the outermost dimension, of a tensor of three dimensions or more: an expert's matrix.
  package subscript(index: Int) -> TensorView {
    precondition(shape.count > 2 && (0..<shape[0]).contains(index) && rowOrder == .natural)
    let inner = Array(shape.dropFirst())
    if let parts {
      let rows = inner.dropLast().reduce(1, *)
      return TensorView(name: name, shape: inner, file: file, parts: (parts.matrix, parts.firstRow + index * rows))
    }
    let size = byteRange.count / shape[0]
    let start = byteRange.lowerBound + index * size
    return TensorView(
      name: name, elementType: elementType, shape: inner, byteRange: start..<start + size, file: file) ?? self
  }

  /// Number of elements.
  package var count: Int { shape.reduce(1, *) }

  /// Elements of one row, the product of all extents but the outermost.
  private var rowLength: Int { shape.dropFirst().reduce(1, *) }

  /// Bytes of one row.
  var rowByteCount: Int { rowLength / elementType.blockLength * elementType.blockByteCount }

  /// Where row `row` lies in the file; of a tensor in parts, the place of none.
  func byteRange(ofRow row: Int) -> Range<Int> {
    guard parts == nil else { return byteRange }
    let size = rowByteCount
    let start = byteRange.lowerBound + rowOrder.place(of: row) * size
    return start..<start + size
  }

  /// The bytes of row `row` of a matrix: in the file, or made in `memory`, of `rowByteCount` bytes.
  @unsafe func bytes(ofRow row: Int, in memory: UnsafeMutableRawPointer) -> UnsafeRawPointer? {
    guard let parts else { return unsafe file.buffer(byteRange(ofRow: row))?.baseAddress }
    unsafe parts.matrix.write(row: parts.firstRow + rowOrder.place(of: row), to: memory)
    return UnsafeRawPointer(memory)
  }

  /// Tells the system that what `rows` were read from is not needed for now.
  func releasePages(ofRows rows: Range<Int>) {
    if let parts {
      let places = rows.map { parts.firstRow + rowOrder.place(of: $0) }
      guard let first = places.min(), let last = places.max() else { return }
      return parts.matrix.releasePages(ofRows: first..<last + 1)
    }
    let bytes = rows.map { byteRange(ofRow: $0) }
    guard let start = bytes.map(\.lowerBound).min(), let end = bytes.map(\.upperBound).max() else { return }
    file.releasePages(in: start..<end)
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
    if parts != nil { return unsafe copyMadeFloats(in: range, to: target) }
    guard rowOrder != .natural else {
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

  /// As `copyFloats`, of a tensor in parts: its rows are made whole.
  @unsafe private func copyMadeFloats(in range: Range<Int>, to output: UnsafeMutablePointer<Float>) {
    guard let parts else { return }
    let columns = parts.matrix.columns
    let memory = UnsafeMutableRawPointer.allocate(byteCount: parts.matrix.rowByteCount, alignment: 64)
    defer { unsafe memory.deallocate() }
    var values = [Float](repeating: 0, count: columns)
    for row in range.lowerBound / columns...(range.upperBound - 1) / columns {
      unsafe parts.matrix.write(row: parts.firstRow + rowOrder.place(of: row), to: memory)
      unsafe ft_to_float(elementType.kernelValue, memory, columns, &values)
      for index in max(range.lowerBound, row * columns)..<min(range.upperBound, (row + 1) * columns) {
        unsafe output[index - range.lowerBound] = values[index - row * columns]
      }
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
