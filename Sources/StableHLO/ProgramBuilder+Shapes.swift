extension ProgramBuilder {
  /// The same elements in row-major order, in another shape.
  package mutating func reshape(_ value: Value, _ shape: [Int]) -> Value {
    let type = TensorType(shape, value.type.element)
    precondition(type.count == value.type.count, "reshape of \(value.type) to \(shape)")
    guard type != value.type else { return value }
    return emit("stablehlo.reshape \(value.name) : (\(value.type)) -> \(type)", type)
  }

  /// Dimension `permutation[i]` becomes dimension `i`.
  package mutating func transpose(_ value: Value, _ permutation: [Int]) -> Value {
    precondition(permutation.sorted() == Array(value.shape.indices))
    let type = TensorType(permutation.map { value.shape[$0] }, value.type.element)
    return emit("stablehlo.transpose \(value.name), dims = \(permutation) : (\(value.type)) -> \(type)", type)
  }

  /// Repeats a tensor: its dimension `i` becomes dimension `dimensions[i]` of `shape`.
  package mutating func broadcast(_ value: Value, _ shape: [Int], dimensions: [Int]) -> Value {
    precondition(dimensions.count == value.shape.count && dimensions == dimensions.sorted())
    for (extent, dimension) in zip(value.shape, dimensions) {
      precondition(extent == 1 || extent == shape[dimension], "broadcast of \(value.type) to \(shape)")
    }
    let type = TensorType(shape, value.type.element)
    guard type != value.type else { return value }
    return emit("stablehlo.broadcast_in_dim \(value.name), dims = \(dimensions) : (\(value.type)) -> \(type)", type)
  }

  /// The elements `ranges[i]` of each dimension `i`.
  package mutating func slice(_ value: Value, _ ranges: [Range<Int>]) -> Value {
    precondition(ranges.count == value.shape.count)
    for (range, extent) in zip(ranges, value.shape) { precondition(range.upperBound <= extent) }
    let type = TensorType(ranges.map(\.count), value.type.element)
    let bounds = ranges.map { "\($0.lowerBound):\($0.upperBound)" }.joined(separator: ", ")
    return emit("stablehlo.slice \(value.name) [\(bounds)] : (\(value.type)) -> \(type)", type)
  }

  /// One after the other along `dimension`.
  package mutating func concatenate(_ values: [Value], dimension: Int) -> Value {
    var shape = values[0].shape
    shape[dimension] = values.reduce(0) { $0 + $1.shape[dimension] }
    let type = TensorType(shape, values[0].type.element)
    let types = values.map(\.type.description).joined(separator: ", ")
    return emit(
      "stablehlo.concatenate \(values.map(\.name).joined(separator: ", ")), dim = \(dimension) : (\(types)) -> \(type)",
      type)
  }

  /// The same value, which the compiler must finish before it begins with what uses it.
  package mutating func barrier(_ value: Value) -> Value {
    emit("stablehlo.optimization_barrier \(value.name) : \(value.type)", value.type)
  }

  /// Slices of the outermost dimension of `table`, named by `indices`: `[indices…, table.shape[1…]]`.
  package mutating func gather(_ table: Value, _ indices: Value) -> Value {
    precondition(indices.type.element == .int32)
    let rest = Array(table.shape.dropFirst())
    let type = TensorType(indices.shape + rest, table.type.element)
    let rank = indices.shape.count
    let offsets = rest.indices.map { rank + $0 }
    let starts = reshape(indices, indices.shape + [1])
    return emit(
      """
      "stablehlo.gather"(\(table.name), \(starts.name)) <{dimension_numbers = #stablehlo.gather<\
      offset_dims = \(offsets), collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = \(rank)>, \
      indices_are_sorted = false, slice_sizes = array<i64: \(([1] + rest).map(String.init).joined(separator: ", "))>}> \
      : (\(table.type), \(starts.type)) -> \(type)
      """, type)
  }

  /// `table` with the slices of its outermost dimension that `indices` names replaced by `updates`.
  ///
  /// - Parameter indices: `[n]`; where one is named twice, either update may stand.
  /// - Parameter updates: `[n, table.shape[1…]]`.
  package mutating func scatter(_ table: Value, _ indices: Value, _ updates: Value) -> Value {
    precondition(indices.type == TensorType([updates.shape[0]], .int32))
    precondition(updates.shape.dropFirst() == table.shape.dropFirst() && updates.type.element == table.type.element)
    let windows = Array(1..<table.shape.count)
    let starts = reshape(indices, indices.shape + [1])
    let scalar = TensorType([], table.type.element)
    return emit(
      """
      "stablehlo.scatter"(\(table.name), \(starts.name), \(updates.name)) <{indices_are_sorted = false, \
      scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = \(windows), inserted_window_dims = [0], \
      scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
            ^bb0(%old: \(scalar), %new: \(scalar)):
              stablehlo.return %new : \(scalar)
          }) : (\(table.type), \(starts.type), \(updates.type)) -> \(table.type)
      """, table.type)
  }
}
