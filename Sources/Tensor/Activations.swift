internal import CForetokenKernels

/// A matrix of floats `[rowCapacity, columns]` that a pass writes and the next one overwrites.
///
/// Rows start at multiples of 64 bytes and are padded with zeros, which no operation changes.
@safe public final class Activations {
  /// Number of rows there is memory for.
  public let rowCapacity: Int
  /// Elements per row.
  public let columns: Int
  /// Floats from one row to the next.
  let stride: Int
  private let memory: AlignedMemory

  /// A matrix of zeros.
  ///
  /// - Throws: `MemoryError` when there is not enough memory.
  public init(rowCapacity: Int, columns: Int) throws(MemoryError) {
    precondition(rowCapacity > 0 && columns > 0)
    self.rowCapacity = rowCapacity
    self.columns = columns
    stride = (columns + 15) / 16 * 16
    memory = try AlignedMemory(byteCount: rowCapacity * stride * MemoryLayout<Float>.size, for: "activations")
  }

  /// Memory of a matrix.
  package static func byteCount(rows: Int, columns: Int) -> Int {
    rows * ((columns + 15) / 16 * 16) * MemoryLayout<Float>.size
  }

  /// Its memory.
  package var byteCount: Int { Self.byteCount(rows: rowCapacity, columns: columns) }

  /// A copy of one row.
  public func row(_ row: Int) -> [Float] { withRow(row) { span in span.indices.map { span[$0] } } }

  /// Calls `body` with one row.
  public func withRow<Result>(_ row: Int, _ body: (Span<Float>) throws -> Result) rethrows -> Result {
    try unsafe body(UnsafeBufferPointer(start: pointer(row: row), count: columns).span)
  }

  /// Overwrites one row.
  public func setRow(_ row: Int, to values: [Float]) {
    precondition(values.count == columns)
    unsafe pointer(row: row).update(from: values, count: columns)
  }

  /// Overwrites one row.
  public func setRow(_ row: Int, to values: ArraySlice<Float>) {
    precondition(values.count == columns)
    unsafe values.withUnsafeBufferPointer { values in
      guard let first = values.baseAddress else { return }
      unsafe pointer(row: row).update(from: first, count: columns)
    }
  }

  /// Column of the largest value of a row; the lowest of several, and never a NaN's.
  public func argmax(row: Int) -> Int {
    unsafe ft_argmax(InstructionSet.best.kernelValue, pointer(row: row), columns)
  }

  /// The probability of `column` in the softmax of a row over `temperature`; single precision.
  public func probability(of column: Int, row: Int, temperature: Float) -> Float {
    precondition(column >= 0 && column < columns)
    let scale = 1 / temperature
    let values = unsafe pointer(row: row)
    let peak = unsafe values[argmax(row: row)]
    let sum = unsafe ft_sum_exp(InstructionSet.best.kernelValue, values, columns, peak, scale)
    return unsafe ft_sum_exp(InstructionSet.best.kernelValue, values + column, 1, peak, scale) / sum
  }

  @unsafe func pointer(row: Int) -> UnsafeMutablePointer<Float> {
    precondition(row >= 0 && row < rowCapacity)
    return unsafe memory.pointer.assumingMemoryBound(to: Float.self) + row * stride
  }

  /// The start, for `rows` rows, to be shared with workers.
  @unsafe func shared(rows: Int) -> SharedAddress {
    precondition(rows >= 0 && rows <= rowCapacity)
    return unsafe SharedAddress(memory.pointer)
  }
}
