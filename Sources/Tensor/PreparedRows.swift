internal import CForetokenKernels

/// Scratch for input rows in the form that products read.
final class PreparedRows {
  private let values, scratch, scales, sums, secondCounts, secondGroups, secondDigits, secondScales,
    secondSums: AlignedMemory
  private let columnCapacity: Int

  init(rows: Int, columns: Int) throws(MemoryError) {
    columnCapacity = Self.stride(columns)
    let (elements, groups, runs) = (
      rows * columnCapacity, rows * columnCapacity / Int(FT_GROUP), rows * columnCapacity / Int(FT_RUN)
    )
    func memory(_ byteCount: Int) throws(MemoryError) -> AlignedMemory {
      try AlignedMemory(byteCount: byteCount, for: "prepared activations")
    }
    values = try memory(elements * MemoryLayout<Float>.size)
    scratch = try memory(elements)
    scales = try memory(groups * 4)
    sums = try memory(runs * 4)
    secondCounts = try memory(rows * 4)
    secondGroups = try memory(groups * 4)
    secondDigits = try memory(elements)
    secondScales = try memory(groups * 4)
    secondSums = try memory(runs * 4)
  }

  /// Columns rounded up to pairs of groups.
  private static func stride(_ columns: Int) -> Int {
    (columns + 2 * Int(FT_GROUP) - 1) / (2 * Int(FT_GROUP)) * 2 * Int(FT_GROUP)
  }

  /// The scratch laid out for rows of `columns`.
  @unsafe func shared(columns: Int) -> SharedRows {
    let stride = Self.stride(columns)
    precondition(stride <= columnCapacity)
    return unsafe SharedRows(
      values: SharedAddress(values.pointer), scratch: SharedAddress(scratch.pointer),
      scales: SharedAddress(scales.pointer), sums: SharedAddress(sums.pointer),
      secondCounts: SharedAddress(secondCounts.pointer), secondGroups: SharedAddress(secondGroups.pointer),
      secondDigits: SharedAddress(secondDigits.pointer), secondScales: SharedAddress(secondScales.pointer),
      secondSums: SharedAddress(secondSums.pointer), stride: stride)
  }

  @unsafe struct SharedRows: Sendable {
    let values, scratch, scales, sums, secondCounts, secondGroups, secondDigits, secondScales, secondSums: SharedAddress
    let stride: Int

    /// The scratch from row `first` on, for a product of its own.
    @unsafe func kernelValue(from first: Int, of format: ft_weight_format) -> ft_prepared_rows {
      var value = unsafe kernelValue
      let width = format == FT_WEIGHT_BFLOAT16 ? MemoryLayout<Float>.size : 1
      let stride = unsafe stride
      let groups = stride / Int(FT_GROUP)
      unsafe value.values += first * stride * width
      unsafe value.scratch += first * stride
      unsafe value.scales += first * groups
      unsafe value.sums += first * (stride / Int(FT_RUN)) * 4
      unsafe value.second_counts += first
      unsafe value.second_groups += first * groups
      unsafe value.second_digits += first * stride
      unsafe value.second_scales += first * groups
      unsafe value.second_sums += first * (stride / Int(FT_RUN)) * 4
      return unsafe value
    }

    @unsafe var kernelValue: ft_prepared_rows {
      unsafe ft_prepared_rows(
        values: values.pointer, scratch: scratch.pointer.assumingMemoryBound(to: Int8.self),
        scales: scales.pointer.assumingMemoryBound(to: Float.self), sums: sums.pointer, stride: stride,
        second_counts: secondCounts.pointer.assumingMemoryBound(to: UInt32.self),
        second_groups: secondGroups.pointer.assumingMemoryBound(to: UInt32.self),
        second_digits: secondDigits.pointer.assumingMemoryBound(to: Int8.self),
        second_scales: secondScales.pointer.assumingMemoryBound(to: Float.self), second_sums: secondSums.pointer)
    }
  }
}
