package import Tensor

/// Where a tensor lies, as a file's table has it.
struct StoredTensor: Sendable {
  let name: String
  /// The format by its name in the file: `ElementType` may lack it.
  let elementType: String
  /// Outermost extent first.
  let shape: [Int]
  let byteRange: Range<Int>
  let file: MappedFile
  var rowOrder = TensorView.RowOrder.natural
  /// Makes the rows of a tensor that no file holds (`ModelExpansion`): `file` is then what they are made of.
  var makeRow: RowMaker?

  /// Overwrites every element of a row; the only row of a vector has all its elements.
  typealias RowMaker = @Sendable (_ row: Int, _ values: inout [Float]) -> Void

  var isMatrix: Bool { shape.count == 2 }
  var knownType: ElementType? { ElementType(rawValue: elementType) }

  /// The tensor under `name`.
  ///
  /// - Parameter isRead: whether its elements matter, and not its shape and format alone: those of a tensor that no file
  ///   holds are made for it.
  /// - Throws: `ModelFileError` for a format that `ElementType` lacks.
  func view(as name: String, isRead: Bool = true) throws(ModelFileError) -> TensorView {
    guard let type = knownType else {
      throw ModelFileError(
        file.path,
        "tensor '\(name)' is \(elementType); supported are \(ElementType.allCases.map(\.rawValue).joined(separator: ", "))"
      )
    }
    if let makeRow {
      let rows = isRead ? Array(0..<shape.dropLast().reduce(1, *)) : []
      do {
        return try TensorView(
          name: name, elementType: type, shape: shape, madeOf: file.path, rows: rows, makeRow: makeRow)
      } catch { throw ModelFileError(file.path, error.description) }
    }
    guard
      let view = TensorView(
        name: name, elementType: type, shape: shape, byteRange: byteRange, file: file, rowOrder: rowOrder)
    else { throw ModelFileError(file.path, "tensor '\(name)' does not lie within the file, or not in whole heads") }
    return view
  }

  /// What reads rows of the matrix, in memory of their own, also while the file may be cut short or written to.
  ///
  /// - Throws: `ModelFileError` as `view(as:)` does; the reader throws `MappedFileError` when the file was changed.
  func rowReader(as name: String) throws(ModelFileError) -> RowReader {
    let view = try view(as: name, isRead: false)
    guard let makeRow else { return { rows throws(MappedFileError) in try view.copiedRows(rows) } }
    return { [file] rows throws(MappedFileError) in
      try TensorView(
        name: name, elementType: view.elementType, shape: [rows.count] + view.shape.dropFirst(), madeOf: file.path,
        rows: rows.map { Int($0) }, makeRow: makeRow)
    }
  }
}

/// The rows of those numbers, in that order.
package typealias RowReader = @Sendable (_ rows: [Int32]) throws(MappedFileError) -> TensorView
