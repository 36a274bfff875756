internal import Tensor

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

  var isMatrix: Bool { shape.count == 2 }
  var knownType: ElementType? { ElementType(rawValue: elementType) }

  /// The tensor under `name`.
  ///
  /// - Throws: `ModelFileError` for a format that `ElementType` lacks.
  func view(as name: String) throws(ModelFileError) -> TensorView {
    guard let type = knownType else {
      throw ModelFileError(
        file.path,
        "tensor '\(name)' is \(elementType); supported are \(ElementType.allCases.map(\.rawValue).joined(separator: ", "))"
      )
    }
    guard
      let view = TensorView(
        name: name, elementType: type, shape: shape, byteRange: byteRange, file: file, rowOrder: rowOrder)
    else { throw ModelFileError(file.path, "tensor '\(name)' does not lie within the file, or not in whole heads") }
    return view
  }
}
