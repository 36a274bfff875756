internal import Tensor

/// Joins the parts of quantised matrices: `x.qweight`, `x.scales` and `x.qzeros` become `x.weight`, whose rows are made as
/// they are read. All other tensors stay as they are.
struct QuantizedTensors {
  let quantization: StoredQuantization
  /// Tensors that no matrix has taken yet, by name.
  private var rest: [String: StoredTensor]
  private var joined: [String: StoredTensor] = [:]

  /// - Throws: `ModelFileError` that names the tensor and what of its parts is missing, or has which shape.
  static func joined(
    _ tensors: [String: StoredTensor], by quantization: StoredQuantization
  ) throws(ModelFileError) -> [String: StoredTensor] {
    var reader = QuantizedTensors(quantization: quantization, rest: tensors)
    for name in tensors.keys.sorted() { try reader.join(name) }
    return reader.rest.merging(reader.joined) { _, made in made }
  }

  private mutating func join(_ name: String) throws(ModelFileError) {
    guard let tensor = rest[name] else { return }
    switch quantization {
    case .fp8(let block): try joinFloats(tensor, name, blocks: block.map { [$0] } ?? [], groupSizes: [])
    case .mxfp4: try joinMicroscaled(tensor, name)
    case .gptq(let bits, let groupSize, let zero, let zeroOffset):
      guard let stem = name.stem(".qweight") else { return }
      try joinGPTQ(tensor, stem, bits: bits, groupSize: groupSize, zero: zero, zeroOffset: zeroOffset)
    case .awq(let groupSize):
      if let stem = name.stem(".qweight") { try joinAWQ(tensor, stem, groupSize: groupSize) }
    case .compressedTensors(let forms):
      if let stem = name.stem(".weight_packed") {
        try tensor.elementType == "U8" ? joinNibbles(tensor, stem) : joinPacked(tensor, stem, forms)
      } else if tensor.elementType == "I8", let stem = name.stem(".weight") {
        try joinBytes(tensor, stem, forms)
      } else {
        try joinFloats(tensor, name, blocks: forms.blocks, groupSizes: forms.groupSizes)
      }
    }
  }

  // MARK: Parts

  private mutating func part(
    _ name: String, _ types: [String], of owner: StoredTensor
  ) throws(ModelFileError) -> StoredTensor {
    guard let part = rest.removeValue(forKey: name) else {
      throw ModelFileError(owner.file.path, "tensor '\(name)' is missing, which goes with '\(owner.name)'")
    }
    guard types.contains(part.elementType) else {
      throw ModelFileError(
        part.file.path, "tensor '\(name)' is \(part.elementType); expected \(types.joined(separator: " or "))")
    }
    return part
  }

  private func shapeError(_ part: StoredTensor, _ expected: String) -> ModelFileError {
    ModelFileError(part.file.path, "tensor '\(part.name)' has shape \(part.shape); expected \(expected)")
  }

  private func check(_ part: StoredTensor, _ shape: [Int], besides others: [[Int]] = []) throws(ModelFileError) {
    guard part.shape == shape || others.contains(part.shape) else { throw shapeError(part, "\(shape)") }
  }

  private func matrix(_ tensor: StoredTensor, _ types: [String]) throws(ModelFileError) -> (Int, Int) {
    guard types.contains(tensor.elementType) else {
      throw ModelFileError(
        tensor.file.path,
        "tensor '\(tensor.name)' is \(tensor.elementType); expected \(types.joined(separator: " or "))")
    }
    guard tensor.shape.count == 2, tensor.shape.allSatisfy({ (1...1 << 24).contains($0) }) else {
      throw shapeError(tensor, "a matrix")
    }
    return (tensor.shape[0], tensor.shape[1])
  }

  private mutating func keep(
    _ name: String, _ shape: [Int], _ numbers: MatrixParts.Numbers, _ values: StoredTensor, scales: StoredTensor,
    zeros: StoredTensor? = nil, groups: StoredTensor? = nil
  ) throws(ModelFileError) {
    guard
      let parts = MatrixParts(
        numbers, rows: shape.dropLast().reduce(1, *), columns: shape[shape.count - 1], values: values.part,
        scales: scales.part, zeros: zeros?.part, groups: groups?.part)
    else {
      throw ModelFileError(
        values.file.path,
        "unsupported: tensor '\(values.name)', quantised \(shape); rows must be of whole groups of 32 weights")
    }
    joined[name] = StoredTensor(name: name, shape: shape, parts: parts)
    rest[values.name] = nil
    if let stem = name.stem(".weight") {
      // Of activations, which are quantised otherwise here.
      for ending in Self.activationParts { rest["\(stem).\(ending)"] = nil }
    }
  }

  private static let activationParts = [
    "input_scale", "input_zero_point", "input_global_scale", "activation_scale", "input_scale_ub",
  ]
  private static let scaleTypes = ["F16", "BF16", "F32"]
  private static let floatTypes = ["F8_E4M3", "F8_E5M2"]

  private func scale(of part: StoredTensor) -> MatrixParts.Scale {
    part.elementType == "U8" ? .exponent : MatrixParts.Scale(rawValue: part.elementType) ?? .float32
  }

  // MARK: Methods

  /// GPTQ: `qweight` [words, rows], `scales` [groups, rows], `qzeros` [groups, words], `g_idx` [columns].
  private mutating func joinGPTQ(
    _ values: StoredTensor, _ stem: String, bits: Int, groupSize: Int?, zero: Int?, zeroOffset: Int
  ) throws(ModelFileError) {
    let (words, rows) = try matrix(values, ["I32"])
    guard words * 32 % bits == 0 else { throw shapeError(values, "whole columns of \(bits) bits") }
    let columns = words * 32 / bits
    let size = groupSize ?? columns
    let groupCount = (columns - 1) / size + 1
    let scales = try part(stem + ".scales", Self.scaleTypes, of: values)
    try check(scales, [groupCount, rows])
    var zeros: StoredTensor?
    if zero == nil {
      zeros = try part(stem + ".qzeros", ["I32"], of: values)
      if let zeros { try check(zeros, [groupCount, (rows * bits + 31) / 32]) }
    } else {
      rest[stem + ".qzeros"] = nil
    }
    let groups = try columnGroups(
      stem + ".g_idx", columns: columns, groupSize: size, groupCount: groupCount, of: values)
    try keep(
      stem + ".weight", [rows, columns],
      .integers(
        IntegerLayout(
          order: .gptq, bits: bits, scale: scale(of: scales), groupSize: size, hasZeros: zeros != nil,
          zero: zero ?? zeroOffset, listsGroups: groups != nil)), values, scales: scales, zeros: zeros, groups: groups)
  }

  /// The list of each column's group; `nil` where there is none, or it says what is so anyway.
  private mutating func columnGroups(
    _ name: String, columns: Int, groupSize: Int, groupCount: Int, of owner: StoredTensor
  ) throws(ModelFileError) -> StoredTensor? {
    guard rest[name] != nil else { return nil }
    let list = try part(name, ["I32"], of: owner)
    try check(list, [columns])
    let groups = try list.integers()
    if let odd = groups.first(where: { !(0..<groupCount).contains($0) }) {
      throw ModelFileError(list.file.path, "tensor '\(name)' names the group \(odd) of \(groupCount)")
    }
    return groups.enumerated().allSatisfy { $0.element == $0.offset / groupSize } ? nil : list
  }

  /// AWQ: `qweight` [columns, words], `scales` [groups, rows], `qzeros` [groups, words].
  private mutating func joinAWQ(_ values: StoredTensor, _ stem: String, groupSize: Int?) throws(ModelFileError) {
    let (columns, words) = try matrix(values, ["I32"])
    let (rows, size) = (words * 8, groupSize ?? columns)
    let groupCount = (columns - 1) / size + 1
    let scales = try part(stem + ".scales", Self.scaleTypes, of: values)
    try check(scales, [groupCount, rows])
    let zeros = try part(stem + ".qzeros", ["I32"], of: values)
    try check(zeros, [groupCount, words])
    try keep(
      stem + ".weight", [rows, columns],
      .integers(
        IntegerLayout(order: .awq, bits: 4, scale: scale(of: scales), groupSize: size, hasZeros: true, zero: 0)),
      values,
      scales: scales, zeros: zeros)
  }

  /// pack-quantized: `weight_packed` [rows, words], `weight_scale` [rows, groups], `weight_zero_point` [words, groups],
  /// `weight_g_idx` [columns]; `weight_shape` says what the words hold.
  private mutating func joinPacked(
    _ values: StoredTensor, _ stem: String, _ forms: StoredQuantization.CompressedForms
  ) throws(ModelFileError) {
    let (rows, words) = try matrix(values, ["I32"])
    let extents = try part(stem + ".weight_shape", ["I64", "I32"], of: values)
    try check(extents, [2])
    let shape = try extents.integers()
    guard shape[0] == rows, (1...1 << 24).contains(shape[1]) else {
      throw ModelFileError(
        extents.file.path, "tensor '\(extents.name)' says \(shape), and '\(values.name)' has \(rows) rows")
    }
    let columns = shape[1]
    guard let bits = forms.bits.first(where: { (columns * $0 + 31) / 32 == words }) else {
      throw shapeError(values, "[\(rows), words of \(columns) integers of \(forms.bits.sorted()) bits]")
    }
    let scales = try part(stem + ".weight_scale", Self.scaleTypes, of: values)
    let size = try groupSize(of: scales, rows: rows, columns: columns, forms)
    let groupCount = (columns - 1) / size + 1
    var zeros: StoredTensor?
    if rest[stem + ".weight_zero_point"] != nil {
      zeros = try part(stem + ".weight_zero_point", ["I32"], of: values)
      if let zeros { try check(zeros, [(rows * bits + 31) / 32, groupCount]) }
    }
    let groups = try columnGroups(
      stem + ".weight_g_idx", columns: columns, groupSize: size, groupCount: groupCount, of: values)
    try keep(
      stem + ".weight", [rows, columns],
      .integers(
        IntegerLayout(
          order: .rows, bits: bits, scale: scale(of: scales), groupSize: size, hasZeros: zeros != nil,
          zero: zeros == nil ? 1 << (bits - 1) : 0, listsGroups: groups != nil)), values, scales: scales, zeros: zeros,
      groups: groups)
  }

  /// int-quantized: `weight` in signed bytes, `weight_scale` [rows, groups].
  private mutating func joinBytes(
    _ values: StoredTensor, _ stem: String, _ forms: StoredQuantization.CompressedForms
  ) throws(ModelFileError) {
    let (rows, columns) = try matrix(values, ["I8"])
    guard rest[stem + ".weight_zero_point"] == nil else {
      throw ModelFileError(
        values.file.path, "unsupported: tensor '\(stem).weight_zero_point' beside integers of eight bits")
    }
    let scales = try part(stem + ".weight_scale", Self.scaleTypes, of: values)
    let isOne = scales.shape.reduce(1, *) == 1 && rows > 1
    let size = isOne ? columns : try groupSize(of: scales, rows: rows, columns: columns, forms)
    try keep(
      stem + ".weight", [rows, columns],
      .integers(
        IntegerLayout(
          order: .bytes, bits: 8, scale: scale(of: scales), groupSize: size, hasZeros: false, zero: 0,
          hasOneScale: isOne)),
      values, scales: scales)
  }

  /// Columns of a group, by the shape of the scales.
  private func groupSize(
    of scales: StoredTensor, rows: Int, columns: Int, _ forms: StoredQuantization.CompressedForms
  ) throws(ModelFileError) -> Int {
    if scales.shape == [rows, 1] || scales.shape == [rows] { return columns }
    let size = forms.groupSizes.sorted().first { scales.shape == [rows, (columns - 1) / $0 + 1] }
    guard let size else {
      throw shapeError(scales, "[\(rows), 1], or [\(rows), groups of \(forms.groupSizes.sorted()) columns]")
    }
    return size
  }

  /// Eight-bit floats, `x` or `x.weight`, with `x_scale_inv` or `x_scale`: one, one for a row, for a group of columns, or
  /// for a block.
  private mutating func joinFloats(
    _ values: StoredTensor, _ name: String, blocks: Set<StoredQuantization.Block>, groupSizes: Set<Int>
  ) throws(ModelFileError) {
    guard Self.floatTypes.contains(values.elementType) else { return }
    let shape = values.shape
    guard shape.count == 2 || shape.count == 3, shape.allSatisfy({ (1...1 << 24).contains($0) }) else {
      throw shapeError(values, "a matrix")
    }
    let (rows, columns) = (shape[shape.count - 2], shape[shape.count - 1])
    let scaleName = rest[name + "_scale_inv"] == nil ? name + "_scale" : name + "_scale_inv"
    let scales = try part(scaleName, Self.scaleTypes + ["F8_E8M0", "U8"], of: values)
    let outer = Array(shape.dropLast(2))
    let block: StoredQuantization.Block? =
      if scales.shape.reduce(1, *) == 1, outer.isEmpty {
        .init(rows: rows, columns: columns)
      } else if scales.shape == outer + [rows, 1] || (outer.isEmpty && scales.shape == [rows]) {
        .init(rows: 1, columns: columns)
      } else {
        (blocks.union(groupSizes.map { .init(rows: 1, columns: $0) })).first {
          scales.shape == outer + [(rows - 1) / $0.rows + 1, (columns - 1) / $0.columns + 1]
            && (outer.isEmpty || rows % $0.rows == 0)
        }
      }
    guard let block else {
      throw shapeError(
        scales,
        "one scale, \(outer + [rows, 1]), or one for each block of \(blocks.map { "\($0.rows) x \($0.columns)" }.sorted().joined(separator: " or "))"
      )
    }
    let numbers = MatrixParts.Numbers.floats(
      hasInfinities: values.elementType == "F8_E5M2", scale: scale(of: scales), rows: block.rows, columns: block.columns
    )
    try keep(name, shape, numbers, values, scales: scales)
  }

  /// gpt-oss: `x_blocks` [experts, rows, groups, 16], `x_scales` [experts, rows, groups].
  private mutating func joinMicroscaled(_ values: StoredTensor, _ name: String) throws(ModelFileError) {
    guard let stem = name.stem("_blocks") else { return }
    guard values.elementType == "U8", (3...4).contains(values.shape.count), values.shape.last == 16,
      values.shape.allSatisfy({ (1...1 << 24).contains($0) })
    else { throw shapeError(values, "[experts, rows, groups, 16] of U8") }
    let scales = try part(stem + "_scales", ["U8", "F8_E8M0"], of: values)
    try check(scales, Array(values.shape.dropLast()))
    let shape = values.shape.dropLast(2) + [values.shape[values.shape.count - 2] * 32]
    try keep(stem, Array(shape), .microscaled, values, scales: scales)
  }

  /// mxfp4-pack-quantized: `weight_packed` [rows, columns / 2] in bytes, `weight_scale` [rows, groups].
  private mutating func joinNibbles(_ values: StoredTensor, _ stem: String) throws(ModelFileError) {
    let (rows, bytes) = try matrix(values, ["U8"])
    let scales = try part(stem + ".weight_scale", ["U8", "F8_E8M0"], of: values)
    guard bytes % 16 == 0 else { throw shapeError(values, "[\(rows), whole groups of 16 bytes]") }
    try check(scales, [rows, bytes / 16])
    try keep(stem + ".weight", [rows, bytes * 2], .microscaled, values, scales: scales)
  }
}

extension StoredTensor {
  fileprivate var part: MatrixParts.Part { MatrixParts.Part(file: file, bytes: byteRange) }
}

extension String {
  /// What stands before `ending`; `nil` where it does not end so.
  fileprivate func stem(_ ending: String) -> String? { hasSuffix(ending) ? String(dropLast(ending.count)) : nil }
}
