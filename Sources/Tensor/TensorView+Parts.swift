extension TensorView {
  /// Most matrices of bfloat16 that a matrix is taken apart into: three hold the 24 bits of single precision.
  private static let mostParts = 3

  /// Matrices of bfloat16 that add up to this one, each the nearest to what those before it leave; this one alone where
  /// its values are those of bfloat16. Exact, but for weights below 2⁻¹¹⁰, of whose last bits there is no bfloat16.
  ///
  /// - Throws: `PackingError` when there is no memory for them.
  package func bfloat16Parts() throws(PackingError) -> [TensorView] {
    guard elementType != .bfloat16, shape.count == 2 else { return [self] }
    let columns = shape[1]
    var (rest, parts) = (floats(), [TensorView]())
    while parts.count < Self.mostParts {
      let nearest = rest.map { Float(bitPattern: UInt32($0.bfloat16Bits) << 16) }
      rest = zip(rest, nearest).map { $0 - $1 }
      let isWhole = rest.allSatisfy { $0 == 0 }
      if parts.isEmpty, isWhole { return [self] }
      do {
        parts.append(
          try TensorView(
            name: name, elementType: .bfloat16, shape: shape, madeOf: file.path, rows: Array(0..<shape[0])
          ) { row, values in
            for column in 0..<columns { values[column] = nearest[row * columns + column] }
          })
      } catch { throw PackingError(description: error.description) }
      if isWhole { break }
    }
    return parts
  }
}
