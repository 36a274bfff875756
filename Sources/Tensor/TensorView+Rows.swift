internal import Dispatch

extension TensorView {
  /// The rows `rows` of a matrix, in that order, in memory of their own.
  ///
  /// - Throws: `MappedFileError` when the file that holds them can no longer be read, or was changed since it was opened.
  package func copiedRows(_ rows: [Int32]) throws(MappedFileError) -> TensorView {
    let copy: MappedFile
    if let parts {
      let size = parts.matrix.rowByteCount
      copy = try unsafe MappedFile(path: file.path, byteCount: rows.count * size) { memory in
        for (place, row) in rows.enumerated() {
          unsafe parts.matrix.write(row: parts.firstRow + rowOrder.place(of: Int(row)), to: memory + place * size)
        }
      }
    } else {
      copy = try file.copy(of: rows.map { byteRange(ofRow: Int($0)) })
    }
    let shape = [rows.count] + shape.dropFirst()
    guard
      let view = TensorView(
        name: name, elementType: elementType, shape: shape, byteRange: 0..<copy.byteCount, file: copy)
    else { throw MappedFileError(path: file.path, operation: "read rows of '\(name)' of", code: 0) }
    return view
  }

  /// A tensor in memory, of rows that are made.
  ///
  /// - Parameters:
  ///   - elementType: float32 or bfloat16.
  ///   - source: what they are made of, for messages.
  ///   - rows: the numbers of the rows to make; where they are fewer than `shape` has, the others are zero.
  ///   - makeRow: overwrites every element of a row; called on several threads.
  /// - Throws: `MappedFileError` when there is no memory for it.
  package init(
    name: String, elementType: ElementType, shape: [Int], madeOf source: String, rows: [Int],
    makeRow: @Sendable (_ row: Int, _ values: inout [Float]) -> Void
  ) throws(MappedFileError) {
    precondition(elementType == .float32 || elementType == .bfloat16)
    let (length, size) = (shape[shape.count - 1], elementType.blockByteCount)
    let file = try unsafe MappedFile(path: source, byteCount: shape.reduce(size, *)) { memory in
      let target = unsafe SharedAddress(memory)
      let part = max(1, (1 << 20) / (length * size))
      DispatchQueue.concurrentPerform(iterations: (rows.count + part - 1) / part) { index in
        var values = [Float](repeating: 0, count: length)
        for place in index * part..<min((index + 1) * part, rows.count) {
          makeRow(rows[place], &values)
          let row = unsafe target.pointer + place * length * size
          for (column, value) in values.enumerated() {
            if elementType == .bfloat16 {
              unsafe row.storeBytes(of: value.bfloat16Bits.littleEndian, toByteOffset: 2 * column, as: UInt16.self)
            } else {
              unsafe row.storeBytes(of: value.bitPattern.littleEndian, toByteOffset: 4 * column, as: UInt32.self)
            }
          }
        }
      }
    }
    guard
      let view = TensorView(
        name: name, elementType: elementType, shape: shape, byteRange: 0..<file.byteCount, file: file)
    else { throw MappedFileError(path: source, operation: "make '\(name)' of", code: 0) }
    self = view
  }
}
