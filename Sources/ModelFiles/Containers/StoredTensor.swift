package import Tensor

/// Where a tensor lies, as a file's table has it.
struct StoredTensor: Sendable {
  let name: String
  /// The format by its name in the file: `ElementType` may lack it.
  let elementType: String
  /// Outermost extent first.
  var shape: [Int]
  let byteRange: Range<Int>
  let file: MappedFile
  var rowOrder = TensorView.RowOrder.natural
  /// Makes the rows of a tensor that no file holds (`ModelExpansion`): `file` is then what they are made of.
  var makeRow: RowMaker?
  /// What it is made of that the file has in parts, each under a name of its own; `file` is then the first one's.
  var parts: MatrixParts?

  /// Overwrites every element of a row; the only row of a vector has all its elements.
  typealias RowMaker = @Sendable (_ row: Int, _ values: inout [Float]) -> Void

  var isMatrix: Bool { shape.count == 2 }
  /// `nil` for formats that `ElementType` lacks, or that no file has.
  var knownType: ElementType? {
    let type = ElementType(rawValue: elementType)
    return parts == nil && type?.isMade == true ? nil : type
  }
  /// Bytes that it takes in its files.
  var byteCount: Int {
    let all = parts?.byteCount ?? byteRange.count
    guard let rows = shape.first, let fileRows = rowOrder.fileRows(for: rows), fileRows > rows else { return all }
    return Int((Double(all) * Double(rows) / Double(fileRows)).rounded())
  }
  var files: [MappedFile] { parts?.parts.map(\.file) ?? [file] }

  /// A matrix in parts.
  ///
  /// - Parameter shape: of more than two dimensions for several matrices of the same shape, one below the other.
  init(name: String, shape: [Int], parts: MatrixParts) {
    (self.name, self.shape, self.parts) = (name, shape, parts)
    (elementType, file, byteRange) = (parts.elementType.rawValue, parts.parts[0].file, parts.parts[0].bytes)
  }

  init(
    name: String, elementType: String, shape: [Int], byteRange: Range<Int>, file: MappedFile, makeRow: RowMaker? = nil
  ) {
    (self.name, self.elementType, self.shape) = (name, elementType, shape)
    (self.byteRange, self.file, self.makeRow) = (byteRange, file, makeRow)
  }

  /// The tensor under `name`.
  ///
  /// - Parameter isRead: whether its elements matter, and not its shape and format alone: those of a tensor that no file
  ///   holds are made for it.
  /// - Throws: `ModelFileError` for a format that `ElementType` lacks.
  func view(as name: String, isRead: Bool = true) throws(ModelFileError) -> TensorView {
    guard let type = knownType else {
      throw ModelFileError(
        file.path,
        "tensor '\(name)' is \(elementType); supported are \(ElementType.allCases.filter { !$0.isMade }.map(\.rawValue).joined(separator: ", "))"
      )
    }
    if let parts {
      guard let view = TensorView(name: name, shape: shape, parts: parts, rowOrder: rowOrder) else {
        throw ModelFileError(file.path, "tensor '\(name)' of shape \(shape) is none that its parts make")
      }
      return view
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

  /// The whole numbers that it holds.
  ///
  /// - Throws: `ModelFileError` when it holds none.
  func integers() throws(ModelFileError) -> [Int] {
    guard let width = ["I64": 8, "I32": 4][elementType] else {
      throw ModelFileError(file.path, "tensor '\(name)' is \(elementType); expected I64 or I32")
    }
    let bytes = [UInt8](try file.read(byteRange))
    return (0..<bytes.count / width).map { index in
      let value = bytes[index * width..<(index + 1) * width].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      return width == 8 ? Int(Int64(bitPattern: value)) : Int(Int32(truncatingIfNeeded: value))
    }
  }

  /// What reads rows of the matrix, in memory of their own, also while the file may be cut short or written to.
  ///
  /// - Throws: `ModelFileError` as `view(as:)` does; the reader throws `MappedFileError` when the file was changed.
  func rowReader(as name: String) throws(ModelFileError) -> RowReader {
    var view = try view(as: name, isRead: false)
    if let parts {
      do { view = TensorView(name: name, shape: shape, parts: try parts.copied(), rowOrder: rowOrder) ?? view } catch {
        throw ModelFileError(file.path, error.description)
      }
    }
    guard let makeRow else { return { [view] rows throws(MappedFileError) in try view.copiedRows(rows) } }
    return { [file, view] rows throws(MappedFileError) in
      try TensorView(
        name: name, elementType: view.elementType, shape: [rows.count] + view.shape.dropFirst(), madeOf: file.path,
        rows: rows.map { Int($0) }, makeRow: makeRow)
    }
  }
}

/// The rows of those numbers, in that order.
package typealias RowReader = @Sendable (_ rows: [Int32]) throws(MappedFileError) -> TensorView
