extension ProgramBuilder {
  /// What a reduction adds up to.
  package enum Reduction: String, Sendable {
    case add
    case maximum
    case minimum
  }

  /// Reduces `dimension`, which goes.
  package mutating func reduce(_ value: Value, _ reduction: Reduction, dimension: Int) -> Value {
    let scalar = TensorType([], value.type.element)
    let initial: Value =
      switch (reduction, value.type.element.isFloat) {
      case (.add, true): splat(Float(0), scalar)
      case (.maximum, true): splat(-Float.infinity, scalar)
      case (.minimum, true): splat(Float.infinity, scalar)
      case (.minimum, false): splat(UInt64(Int32.max), scalar)
      case (.add, false), (.maximum, false): splat(UInt64(0), scalar)
      }
    var shape = value.shape
    shape.remove(at: dimension)
    let type = TensorType(shape, value.type.element)
    return emit(
      """
      stablehlo.reduce(\(value.name) init: \(initial.name)) applies stablehlo.\(reduction.rawValue) across dimensions \
      = [\(dimension)] : (\(value.type), \(scalar)) -> \(type)
      """, type)
  }

  /// Products summed over `contracting`, for each index of `batching`; accumulated and given in `result`.
  ///
  /// The result's dimensions are the batching ones, then what is left of `left`, then what is left of `right`.
  package mutating func dot(
    _ left: Value, _ right: Value, batching: (left: [Int], right: [Int]) = ([], []),
    contracting: (left: [Int], right: [Int]), result: ScalarType
  ) -> Value {
    func extents(_ value: Value, _ dimensions: [Int]) -> [Int] { dimensions.map { value.shape[$0] } }
    func free(_ value: Value, _ used: [Int]) -> [Int] {
      value.shape.indices.filter { !used.contains($0) }.map { value.shape[$0] }
    }
    precondition(
      extents(left, batching.left) == extents(right, batching.right)
        && extents(left, contracting.left) == extents(right, contracting.right)
        && left.type.element == right.type.element, "product of \(left.type) and \(right.type)")
    let type = TensorType(
      extents(left, batching.left) + free(left, batching.left + contracting.left)
        + free(right, batching.right + contracting.right), result)
    let batches = batching.left.isEmpty ? "" : "batching_dims = \(batching.left) x \(batching.right), "
    // Some devices would round single precision to fewer bits by default.
    let precision = left.type.element == .float32 ? ", precision = [HIGHEST, HIGHEST]" : ""
    return emit(
      """
      stablehlo.dot_general \(left.name), \(right.name), \(batches)contracting_dims = \(contracting.left) x \
      \(contracting.right)\(precision) : (\(left.type), \(right.type)) -> \(type)
      """, type)
  }
}
