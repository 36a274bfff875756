/// Gives a model its matrices, one after the other: packed from a checkpoint, or as an earlier run packed them.
///
/// A file of packed weights holds the matrices of one model in the order in which this was asked for them.
package final class MatrixPacker {
  /// All matrices so far.
  package private(set) var matrices: [PackedMatrix] = []
  private let pool: WorkerPool
  private let arena = MemoryArena()
  private let file: PackedWeightsFile?

  /// - Parameter file: the matrices as they were packed before; they are packed anew without it.
  package init(pool: WorkerPool, file: PackedWeightsFile? = nil) {
    (self.pool, self.file) = (pool, file)
  }

  /// Whether matrices are packed now; what tells how to round them is not asked for otherwise.
  package var isPacking: Bool { file == nil }
  /// The threads to pack on.
  package var threads: WorkerPool { pool }

  /// As `PackedMatrix(stacking:format:rounding:pool:arena:)`, in as few matrices as the formats allow: tensors that follow
  /// each other in one format are one.
  ///
  /// - Parameter rounding: its row exponents are those of all tensors, one after the other.
  /// - Throws: `PackingError`, also when the file has another matrix in its place.
  package func stack(
    _ tensors: [TensorView], formats: [WeightFormat], rounding: WeightRounding = WeightRounding()
  ) throws(PackingError) -> [PackedMatrix] {
    precondition(tensors.count == formats.count)
    var matrices: [PackedMatrix] = []
    var (first, firstRow) = (0, 0)
    while first < tensors.count {
      let end = formats[first...].firstIndex { $0 != formats[first] } ?? tensors.count
      let part = Array(tensors[first..<end])
      let rows = part.reduce(0) { $0 + $1.shape[0] }
      var own = rounding
      own.rowExponents = rounding.rowExponents.map { Array($0[firstRow..<firstRow + rows]) }
      matrices.append(try stack(part, format: formats[first], rounding: own))
      (first, firstRow) = (end, firstRow + rows)
    }
    return matrices
  }

  /// As `PackedMatrix(stacking:format:rounding:pool:arena:)`.
  ///
  /// - Throws: `PackingError`, also when the file has another matrix in its place.
  package func stack(
    _ tensors: [TensorView], format: WeightFormat, rounding: WeightRounding = WeightRounding()
  ) throws(PackingError) -> PackedMatrix {
    try next(rows: tensors.reduce(0) { $0 + $1.shape[0] }, of: tensors, format: format, isGatePair: false) {
      () throws(PackingError) in
      try PackedMatrix(stacking: tensors, format: format, rounding: rounding, pool: pool, arena: arena)
    }
  }

  /// As `PackedMatrix(pairingGate:up:format:rounding:pool:arena:)`.
  ///
  /// - Throws: `PackingError`, also when the file has another matrix in its place.
  package func pair(
    gate: TensorView, up: TensorView, format: WeightFormat, rounding: WeightRounding = WeightRounding()
  ) throws(PackingError) -> PackedMatrix {
    try next(rows: gate.shape[0], of: [gate, up], format: format, isGatePair: true) { () throws(PackingError) in
      try PackedMatrix(pairingGate: gate, up: up, format: format, rounding: rounding, pool: pool, arena: arena)
    }
  }

  private func next(
    rows: Int, of tensors: [TensorView], format: WeightFormat, isGatePair: Bool,
    pack: () throws(PackingError) -> PackedMatrix
  ) throws(PackingError) -> PackedMatrix {
    let matrix: PackedMatrix
    if let file {
      guard matrices.count < file.matrices.count else {
        throw PackingError(description: "the file of packed weights ends after \(matrices.count) matrices")
      }
      matrix = file.matrices[matrices.count]
      guard matrix.rows == rows, matrix.columns == tensors.first?.shape.last, matrix.format == format,
        matrix.isGatePair == isGatePair
      else {
        throw PackingError(
          description:
            "matrix \(matrices.count) of the file of packed weights is \(matrix.rows) x \(matrix.columns) in \(matrix.format.rawValue); expected \(rows) x \(tensors.first?.shape.last ?? 0) in \(format.rawValue)"
        )
      }
    } else {
      matrix = try pack()
    }
    matrices.append(matrix)
    return matrix
  }
}
