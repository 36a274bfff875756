internal import CForetokenKernels
internal import Synchronization

/// What is known of how a matrix's weights are used: formats that round them lose less by it.
package struct WeightRounding: Sendable {
  /// For each column the power of two that its weights are multiplied by; its inputs must be divided by as much.
  package var columnExponents: [Int8]?
  /// For each row the power of two that its weights are multiplied by, and with them its output.
  package var rowExponents: [Int8]?

  /// Nothing is known.
  package init(columnExponents: [Int8]? = nil, rowExponents: [Int8]? = nil) {
    (self.columnExponents, self.rowExponents) = (columnExponents, rowExponents)
  }
}

extension WeightFormat {
  /// What packing `tensor` in this format changes, relative to the weights (root of the mean squares), from a few of its
  /// rows; `nil` for what is no matrix, or cannot be packed.
  package func relativeError(of tensor: TensorView) -> Double? {
    guard tensor.shape.count == 2, let rows = tensor.shape.first, let columns = tensor.shape.last, rows > 0, columns > 0
    else { return nil }
    var errors: [Double] = [0, 0]
    var panel = [UInt8](repeating: 0, count: ft_panel_bytes(kernelValue, columns))
    var scratch = [Float](repeating: 0, count: ft_packing_scratch(columns))
    let elements = [ft_element](repeating: tensor.elementType.kernelValue, count: Int(FT_PANEL))
    let rowBytes = tensor.rowByteCount
    let memory = UnsafeMutableRawPointer.allocate(byteCount: Int(FT_PANEL) * rowBytes, alignment: 64)
    defer { unsafe memory.deallocate() }
    // Panels at the start, in the middle and near the end.
    for part in 0..<3 {
      let first = min(part * rows / 3, max(rows - Int(FT_PANEL), 0))
      var pointers = unsafe [UnsafeRawPointer?](repeating: nil, count: Int(FT_PANEL))
      for (lane, row) in (first..<min(first + Int(FT_PANEL), rows)).enumerated() {
        unsafe pointers[lane] = tensor.bytes(ofRow: row, in: memory + lane * rowBytes)
      }
      let result = unsafe ft_pack_panel(
        InstructionSet.best.kernelValue, kernelValue, elements, &pointers, columns, nil, nil, &scratch, &panel,
        &errors)
      guard result == FT_PACKED else { return nil }
    }
    return errors[1] > 0 ? (errors[0] / errors[1]).squareRoot() : 0
  }
}

/// Largest magnitude in each column of matrices of equal width, one below the other.
///
/// - Parameter rowExponents: powers of two that the rows count times; `nil` for none.
package func columnPeaks(of tensors: [TensorView], rowExponents: [Int8]? = nil, pool: WorkerPool) -> [Float] {
  guard let columns = tensors.first?.shape.last else { return [] }
  let found = Mutex([Float](repeating: 0, count: columns))
  var firstRow = 0
  for tensor in tensors where tensor.shape.last == columns {
    let offset = firstRow
    firstRow += tensor.shape[0]
    tensor.readRows(pool: pool) { rows, values in
      var peaks = [Float](repeating: 0, count: columns)
      for row in rows {
        values.read(row)
        let multiplier = Float(sign: .plus, exponent: rowExponents.map { Int($0[offset + row]) } ?? 0, significand: 1)
        for column in 0..<columns { peaks[column] = max(peaks[column], abs(values.floats[column]) * multiplier) }
      }
      found.withLock { all in for column in 0..<columns { all[column] = max(all[column], peaks[column]) } }
    }
  }
  return found.withLock { $0 }
}

/// Largest magnitude in each row of a matrix.
package func rowPeaks(of tensor: TensorView, pool: WorkerPool) -> [Float] {
  let found = Mutex([Float](repeating: 0, count: tensor.shape[0]))
  tensor.readRows(pool: pool) { rows, values in
    let peaks = rows.map { row in
      values.read(row)
      return values.floats.reduce(0) { max($0, abs($1)) }
    }
    found.withLock { all in for (row, peak) in zip(rows, peaks) { all[row] = peak } }
  }
  return found.withLock { $0 }
}

/// One row of a matrix at a time, as floats.
struct RowReader {
  fileprivate let tensor: TensorView
  private(set) var floats: [Float]

  fileprivate init(_ tensor: TensorView) {
    self.tensor = tensor
    floats = [Float](repeating: 0, count: tensor.shape[1])
  }

  /// Reads row `row` into `floats`.
  mutating func read(_ row: Int) {
    let columns = floats.count
    unsafe floats.withUnsafeMutableBufferPointer { buffer in
      unsafe tensor.copyFloats(in: row * columns..<(row + 1) * columns, to: buffer)
    }
  }
}

extension TensorView {
  /// Calls `body` with parts of a matrix's rows, on all threads. Pages are given back as soon as they are read, as when the
  /// matrix is packed.
  fileprivate func readRows(pool: WorkerPool, _ body: @Sendable (Range<Int>, inout RowReader) -> Void) {
    let batch = max(pool.threadCount, (8 << 20) / (2 * shape[1]))
    for first in stride(from: 0, to: shape[0], by: batch) {
      let part = first..<min(first + batch, shape[0])
      pool.run(over: part.count) { share in
        var reader = RowReader(self)
        body(first + share.lowerBound..<first + share.upperBound, &reader)
      }
      releasePages(ofRows: part)
    }
  }
}

extension Optional {
  /// Calls `body` with the elements' address, or with `nil`.
  @unsafe func withPointer<Element, Result>(_ body: (UnsafePointer<Element>?) -> Result) -> Result
  where Wrapped == [Element] {
    switch self {
    case let values?: unsafe values.withUnsafeBufferPointer { unsafe body($0.baseAddress) }
    case nil: body(nil)
    }
  }
}
