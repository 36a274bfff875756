internal import CForetokenKernels

/// A matrix that files have in parts: integers or small floats beside what scales them. Its rows are made as they are
/// asked for, each as a row of blocks of `elementType`.
@safe package struct MatrixParts: Sendable {
  /// One of them: bytes of a file.
  package struct Part: Sendable {
    package let file: MappedFile
    package let bytes: Range<Int>

    package init(file: MappedFile, bytes: Range<Int>) { (self.file, self.bytes) = (file, bytes) }

    @unsafe fileprivate var start: UnsafePointer<UInt8>? {
      unsafe file.buffer(bytes)?.baseAddress?.assumingMemoryBound(to: UInt8.self)
    }
  }

  /// Numbers that scale others.
  package enum Scale: String, Sendable {
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    /// Powers of two by their exponents.
    case exponent = "F8_E8M0"

    package var byteCount: Int { ft_block_bytes(kernelValue) }

    fileprivate var kernelValue: ft_element {
      switch self {
      case .float32: FT_FLOAT32
      case .float16: FT_FLOAT16
      case .bfloat16: FT_BFLOAT16
      case .exponent: FT_E8M0
      }
    }
  }

  /// What they are and how they lie.
  package enum Numbers: Sendable {
    case integers(IntegerLayout)
    /// Eight-bit floats with a scale for each of `rows` times `columns` of them.
    case floats(hasInfinities: Bool, scale: Scale, rows: Int, columns: Int)
    /// Four-bit floats, two neighbours to a byte, and an exponent for 32.
    case microscaled
    /// Floats of more bits as they are, but not one after the other: `type` is one of the three, strides are in elements.
    case floatsApart(ElementType, rowStride: Int, columnStride: Int)
  }

  package let numbers: Numbers
  package let elementType: ElementType
  package private(set) var rows: Int
  package let columns: Int
  /// Rows that the parts hold, and which of them these are: each `step`th from `first` on.
  private let heldRows: Int
  private var choice = (first: 0, step: 1)
  /// Integers or floats; what scales them; zero points; the group of each column.
  private let values, scales: Part
  private let zeros, groups: Part?

  package var parts: [Part] { [values, scales, zeros, groups].compactMap(\.self) }
  /// Bytes of files that its rows are made of.
  package var byteCount: Int {
    if case .floatsApart(let type, _, _) = numbers { return rows * columns * type.blockByteCount }
    return parts.reduce(0) { $0 + $1.bytes.count } / choice.step
  }

  /// - Returns: `nil` when a part has not the bytes that the others ask for, or columns are not whole groups of 32 where
  ///   they are made into such.
  package init?(
    _ numbers: Numbers, rows: Int, columns: Int, values: Part, scales: Part, zeros: Part? = nil, groups: Part? = nil
  ) {
    // Beyond these nothing below could be more than a number can be.
    guard (1...1 << 30).contains(rows), (1...1 << 24).contains(columns) else { return nil }
    guard let wanted = numbers.byteCounts(rows: rows, columns: columns) else { return nil }
    elementType = numbers.elementType
    guard values.bytes.count == wanted.values, scales.bytes.count == wanted.scales,
      zeros?.bytes.count == wanted.zeros, groups?.bytes.count == wanted.groups,
      [values, scales, zeros, groups].allSatisfy({ $0.map { $0.bytes.upperBound <= $0.file.byteCount } ?? true })
    else { return nil }
    (self.numbers, self.rows, self.columns, heldRows) = (numbers, rows, columns, rows)
    (self.values, self.scales, self.zeros, self.groups) = (values, scales, zeros, groups)
  }

  /// The place of the last of elements that lie apart; `nil` where it is no number.
  fileprivate static func last(rows: Int, columns: Int, _ rowStride: Int, _ columnStride: Int) -> Int? {
    let (row, column) = (
      (rows - 1).multipliedReportingOverflow(by: rowStride), (columns - 1).multipliedReportingOverflow(by: columnStride)
    )
    guard !row.overflow, !column.overflow, row.partialValue < 1 << 60, column.partialValue < 1 << 60 else { return nil }
    return row.partialValue + column.partialValue
  }

  /// Each `step`th of its rows from `first` on; `nil` where there is no such row, some were chosen before, or rows do not
  /// lie one after the other.
  package func rows(from first: Int, step: Int) -> MatrixParts? {
    guard choice == (0, 1), step > 0, (0..<rows).contains(first), liesRowByRow else { return nil }
    var chosen = self
    (chosen.choice, chosen.rows) = ((first, step), (rows - first - 1) / step + 1)
    return chosen
  }

  /// Some of its rows; `nil` where those would share scales with others, or do not lie together.
  package func part(_ range: Range<Int>) -> MatrixParts? {
    let scaleRows: Int
    switch numbers {
    case .integers, .floatsApart: return nil
    case .floats(_, _, let blockRows, _): scaleRows = blockRows
    case .microscaled: scaleRows = 1
    }
    guard choice == (0, 1), range.lowerBound >= 0, range.upperBound <= rows, range.lowerBound % scaleRows == 0,
      rows % scaleRows == 0
    else { return nil }
    func cut(_ part: Part, _ first: Int, _ count: Int, of all: Int) -> Part {
      let (size, start) = (part.bytes.count / all, part.bytes.lowerBound)
      return Part(file: part.file, bytes: start + first * size..<start + (first + count) * size)
    }
    return MatrixParts(
      numbers, rows: range.count, columns: columns, values: cut(values, range.lowerBound, range.count, of: rows),
      scales: cut(scales, range.lowerBound / scaleRows, (range.count - 1) / scaleRows + 1, of: rows / scaleRows))
  }

  /// The same in memory of its own.
  ///
  /// - Throws: `MappedFileError` when a file can no longer be read, or was changed since it was opened.
  package func copied() throws(MappedFileError) -> MatrixParts {
    func copy(_ part: Part) throws(MappedFileError) -> Part {
      let copy = try part.file.copy(of: [part.bytes])
      return Part(file: copy, bytes: 0..<copy.byteCount)
    }
    return MatrixParts(
      self, values: try copy(values), scales: try copy(scales), zeros: try zeros.map(copy), groups: try groups.map(copy)
    )
  }

  private init(_ other: MatrixParts, values: Part, scales: Part, zeros: Part?, groups: Part?) {
    (numbers, elementType, rows, columns) = (other.numbers, other.elementType, other.rows, other.columns)
    (heldRows, choice) = (other.heldRows, other.choice)
    (self.values, self.scales, self.zeros, self.groups) = (values, scales, zeros, groups)
  }

  /// Tells the system that what `rows` were made of is not needed for now.
  func releasePages(ofRows range: Range<Int>) {
    if liesRowByRow {
      let (start, size) = (values.bytes.lowerBound, values.bytes.count / heldRows)
      let rows = range.lowerBound * choice.step..<min(range.upperBound * choice.step, heldRows)
      values.file.releasePages(in: start + rows.lowerBound * size..<start + rows.upperBound * size)
    } else if range.upperBound == rows {
      // Every row took from all of them.
      for part in parts { part.file.releasePages(in: part.bytes) }
    }
  }

  private var liesRowByRow: Bool {
    switch numbers {
    case .integers(let layout):
      switch layout.order {
      case .rows, .bytes: true
      case .gptq, .awq: false
      }
    case .floats, .microscaled: true
    case .floatsApart: false
    }
  }

  /// Bytes of a row as it is made.
  var rowByteCount: Int { columns / elementType.blockLength * elementType.blockByteCount }

  /// Makes row `row` in `rowByteCount` bytes.
  @unsafe func write(row: Int, to output: UnsafeMutableRawPointer) {
    precondition((0..<rows).contains(row))
    let row = choice.first + row * choice.step
    guard let values = unsafe values.start else { return }
    if case .floatsApart(let type, let rowStride, let columnStride) = numbers {
      let (size, start) = (type.blockByteCount, row * rowStride)
      for column in 0..<columns {
        let element = unsafe values + (start + column * columnStride) * size
        unsafe output.advanced(by: column * size).copyMemory(from: element, byteCount: size)
      }
      return
    }
    guard let scales = unsafe scales.start else { return }
    switch numbers {
    case .integers(let layout):
      var matrix = unsafe layout.kernelValue(rows: heldRows, columns: columns)
      unsafe matrix.integers.words = values
      unsafe matrix.scales = UnsafeRawPointer(scales)
      unsafe matrix.zeros.words = zeros?.start
      unsafe matrix.groups = groups?.start
      if elementType == .scattered {
        unsafe ft_read_grouped_floats(&matrix, row, columns, output.assumingMemoryBound(to: Float.self))
      } else {
        unsafe ft_read_grouped(&matrix, row, columns, output.assumingMemoryBound(to: UInt8.self))
      }
    case .floats(let hasInfinities, let scale, let blockRows, let blockColumns):
      var matrix = unsafe ft_float8_matrix(
        values: values, element: hasInfinities ? FT_E5M2 : FT_E4M3, scales: scales, scale_element: scale.kernelValue,
        block_rows: blockRows, block_columns: blockColumns, scale_stride: (columns - 1) / blockColumns + 1)
      unsafe ft_read_float8(&matrix, row, columns, output.assumingMemoryBound(to: Float.self))
    case .microscaled:
      unsafe ft_read_mxfp4(values, scales, row, columns, output.assumingMemoryBound(to: UInt8.self))
    case .floatsApart: return
    }
  }
}

extension MatrixParts.Numbers {
  /// What rows are made into.
  package var elementType: ElementType {
    switch self {
    case .integers(let layout): layout.elementType
    case .floats: .float8
    case .microscaled: .mxfp4
    case .floatsApart(let type, _, _): type
    }
  }

  /// Bytes of each part of a matrix; `nil` for what cannot be.
  package func byteCounts(
    rows: Int, columns: Int
  ) -> (values: Int, scales: Int, zeros: Int?, groups: Int?)? {
    switch self {
    case .integers(let layout): return layout.byteCounts(rows: rows, columns: columns)
    case .floats(_, let scale, let blockRows, let blockColumns):
      guard blockRows > 0, blockColumns > 0 else { return nil }
      let blocks = ((rows - 1) / blockRows + 1) * ((columns - 1) / blockColumns + 1)
      return (rows * columns, blocks * scale.byteCount, nil, nil)
    case .microscaled:
      guard columns % 32 == 0 else { return nil }
      return (rows * columns / 2, rows * columns / 32, nil, nil)
    case .floatsApart(let type, let rowStride, let columnStride):
      let sizes = 1...1 << 40
      guard [.float32, .float16, .bfloat16].contains(type), sizes.contains(rowStride), sizes.contains(columnStride),
        let last = MatrixParts.last(rows: rows, columns: columns, rowStride, columnStride)
      else { return nil }
      return ((last + 1) * type.blockByteCount, 0, nil, nil)
    }
  }
}

/// How integers of a few bits, their scales and zero points lie in the parts of a matrix.
package struct IntegerLayout: Sendable {
  /// The published ways.
  package enum Order: Sendable {
    /// compressed-tensors: neighbours in a row share words of 32 bits, scales are [rows, groups], zero points share words
    /// with their neighbours in a column.
    case rows
    /// Signed bytes as they are; scales as above.
    case bytes
    /// AutoGPTQ: neighbours in a row share words, which are [words, rows]; scales [groups, rows], zero points [groups,
    /// words].
    case gptq
    /// AutoAWQ: neighbours in a column share words, [columns, words]; scales and zero points as AutoGPTQ.
    case awq
  }

  package let order: Order
  package let bits: Int
  package let scale: MatrixParts.Scale
  /// Neighbours in a row that share a scale.
  package let groupSize: Int
  package let hasZeros: Bool
  /// What is added to zero points, or the one of all.
  package let zero: Int
  /// Whether the columns' groups are listed.
  package let listsGroups: Bool
  /// Whether one scale is all that there is.
  package let hasOneScale: Bool

  package init(
    order: Order, bits: Int, scale: MatrixParts.Scale, groupSize: Int, hasZeros: Bool, zero: Int,
    listsGroups: Bool = false, hasOneScale: Bool = false
  ) {
    (self.order, self.bits, self.scale, self.groupSize) = (order, bits, scale, groupSize)
    (self.hasZeros, self.zero, self.listsGroups) = (hasZeros, zero, listsGroups)
    self.hasOneScale = hasOneScale
  }

  var elementType: ElementType {
    if listsGroups || groupSize % 32 != 0 || (bits == 8 && hasZeros) { return .scattered }
    if bits > 4 { return .int8 }
    return bits == 4 && hasZeros ? .uint4 : .int4
  }

  private func groupCount(_ columns: Int) -> Int { (columns - 1) / groupSize + 1 }

  private func words(_ count: Int) -> Int { (count * bits + 31) / 32 }

  /// Bytes of each part; `nil` for what cannot be.
  func byteCounts(rows: Int, columns: Int) -> (values: Int, scales: Int, zeros: Int?, groups: Int?)? {
    guard (1...8).contains(bits), groupSize > 0, elementType == .scattered || columns % 32 == 0 else { return nil }
    let groups = groupCount(columns)
    let values: Int
    switch order {
    case .rows: values = 4 * rows * words(columns)
    case .bytes: values = rows * columns
    case .gptq: values = 4 * words(columns) * rows
    case .awq: values = 4 * columns * words(rows)
    }
    let isWhole: Bool =
      switch order {
      case .bytes: bits == 8 && columns % 4 == 0 && !hasZeros && !listsGroups
      // The last word's bits would lie in another order.
      case .awq: bits == 4 && rows % 8 == 0
      case .rows, .gptq: true
      }
    guard isWhole else { return nil }
    let zeros = hasZeros ? 4 * groups * words(rows) : nil
    let scales = hasOneScale ? 1 : rows * groups
    return (values, scales * scale.byteCount, zeros, listsGroups ? 4 * columns : nil)
  }

  func kernelValue(rows: Int, columns: Int) -> ft_grouped_matrix {
    let groups = groupCount(columns)
    var matrix = unsafe ft_grouped_matrix()
    unsafe matrix.integers = ft_packed_integers(
      words: nil, bits: Int32(bits), along_rows: order == .awq, is_awq: order == .awq,
      word_stride: order == .gptq ? rows : 1,
      stride: order == .gptq ? 1 : order == .awq ? words(rows) : words(columns))
    // Zero points of neighbouring rows share words.
    unsafe matrix.zeros = ft_packed_integers(
      words: nil, bits: Int32(bits), along_rows: true, is_awq: order == .awq,
      word_stride: order == .rows ? groups : 1, stride: order == .rows ? 1 : words(rows))
    unsafe matrix.is_signed = order == .bytes
    unsafe matrix.scale_element = scale.kernelValue
    let isByRow = order == .rows || order == .bytes
    unsafe (matrix.scale_row_stride, matrix.scale_group_stride) =
      hasOneScale ? (0, 0) : isByRow ? (groups, 1) : (1, rows)
    unsafe (matrix.zero, matrix.group_size, matrix.group_count) = (Int32(zero), groupSize, groups)
    return unsafe matrix
  }
}
