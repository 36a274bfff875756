extension TensorView {
  /// The rows `rows` of a matrix, in that order, in memory of their own.
  ///
  /// - Throws: `MappedFileError` when the file that holds them can no longer be read, or was changed since it was opened.
  package func copiedRows(_ rows: [Int32]) throws(MappedFileError) -> TensorView {
    let copy = try file.copy(of: rows.map { byteRange(ofRow: Int($0)) })
    let shape = [rows.count] + shape.dropFirst()
    guard
      let view = TensorView(
        name: name, elementType: elementType, shape: shape, byteRange: 0..<copy.byteCount, file: copy)
    else { throw MappedFileError(path: file.path, operation: "read rows of '\(name)' of", code: 0) }
    return view
  }
}
