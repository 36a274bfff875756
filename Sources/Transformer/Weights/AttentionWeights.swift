internal import ModelFiles
internal import Tensor

/// The weights of attention in one layer.
struct AttentionWeights {
  /// `[hidden]`; in the first layer of a head the norms of the embedding and of the stream, one after the other.
  let norm: [Float]
  /// Queries, keys and values stacked: `[(heads + 2 · kvHeads) · headSize, hidden]`; several matrices where a file has them
  /// in several formats.
  let queryKeyValue: [PackedMatrix]
  /// Same rows as `queryKeyValue`; `nil` when the model has no such bias.
  let queryKeyValueBias: [Float]?
  /// Of a layer whose keys and values are made of something else too: the matrices of `queryKeyValue` that give them.
  let keyValue: [PackedMatrix]
  /// Of such a layer: the norm of what else they are made of, `[hidden]`, as `keyValue` reads it.
  let contextNorm: [Float]?
  /// `[headSize]`; `nil` when the model has none.
  let queryNorm, keyNorm: [Float]?
  /// `[heads]`; `nil` when the model has none.
  let sinks: [Float]?
  /// `[hidden, heads · headSize]`.
  let output: PackedMatrix
  let outputBias: [Float]?
  /// `[hidden]`, of what is added to the residual stream; `nil` when the model has none.
  let postNorm: [Float]?

  init(_ tensors: AttentionTensors, _ packing: WeightPacking) throws {
    let (heads, kvHeads, headSize) = (tensors.headCount, tensors.kvHeadCount, tensors.headSize)
    let (query, key, value) = (
      try packing.view(tensors.query.weight), try packing.view(tensors.key.weight),
      try packing.view(tensors.value.weight)
    )
    let result = try packing.view(tensors.output.weight)
    let norm = try packing.floats(tensors.norm) + (try packing.floats(ifPresent: tensors.streamNorm) ?? [])
    let (packer, pool) = (packing.packer, packing.packer.threads)

    var values: [Int8]?
    if packing.isScaling(result) {
      values = ChannelScaling.exponents(
        levelling: ChannelScaling.sharedPeaks(
          columnPeaks(of: [result], pool: pool), kvHeadCount: kvHeads, headSize: headSize),
        and: rowPeaks(of: value, pool: pool))
    }
    // Rows take back what the columns of their reader are multiplied by.
    let rowExponents = values.map {
      [Int8](repeating: 0, count: query.shape[0] + key.shape[0]) + ChannelScaling.negated($0)
    }
    var inputs: [Int8]?
    if packing.isScaling(query, key, value) {
      inputs = ChannelScaling.exponents(
        levelling: columnPeaks(of: [query, key, value], rowExponents: rowExponents, pool: pool), and: norm)
    }
    // What has keys and values of its own inputs too reads their matrices alone.
    let parts = tensors.contextNorm == nil ? [[query, key, value]] : [[query], [key, value]]
    var (matrices, firstRow): ([[PackedMatrix]], Int) = ([], 0)
    for part in parts {
      let rows = part.reduce(0) { $0 + $1.shape[0] }
      matrices.append(
        try packer.stack(
          part, formats: part.map(packing.format),
          rounding: WeightRounding(
            columnExponents: inputs, rowExponents: rowExponents.map { Array($0[firstRow..<firstRow + rows]) })))
      firstRow += rows
    }
    queryKeyValue = matrices.flatMap(\.self)
    keyValue = matrices.dropFirst().flatMap(\.self)
    contextNorm = try packing.floats(ifPresent: tensors.contextNorm).map {
      ChannelScaling.divide($0, by: matrices.last?.first?.columnExponents)
    }
    output = try packer.stack(
      [result], format: packing.format(of: result),
      rounding: WeightRounding(
        columnExponents: values.map { ChannelScaling.spread($0, headCount: heads, headSize: headSize) }))

    self.norm = ChannelScaling.divide(norm, by: queryKeyValue.first?.columnExponents)
    if let queryTensor = tensors.queryNorm, let keyTensor = tensors.keyNorm {
      let keys = try packing.floats(keyTensor)
      let exponents = ChannelScaling.exponents(levellingKeys: keys, rotated: tensors.rotatedSize)
      queryNorm = ChannelScaling.divide(try packing.floats(queryTensor), by: exponents)
      keyNorm = ChannelScaling.divide(keys, by: ChannelScaling.negated(exponents))
    } else {
      (queryNorm, keyNorm) = (nil, nil)
    }
    if let query = tensors.query.bias, let key = tensors.key.bias, let value = tensors.value.bias {
      let exponents = output.columnExponents.map {
        ChannelScaling.gathered($0, kvHeadCount: kvHeads, headSize: headSize)
      }
      queryKeyValueBias =
        try packing.floats(query) + packing.floats(key)
        + ChannelScaling.divide(packing.floats(value), by: exponents)
    } else {
      queryKeyValueBias = nil
    }
    sinks = try packing.floats(ifPresent: tensors.sinks)
    outputBias = try packing.floats(ifPresent: tensors.output.bias)
    postNorm = try packing.floats(ifPresent: tensors.postNorm)
  }

  init(_ tensors: AttentionTensors, random: RandomWeights) throws {
    norm = random.ones(tensors.norm) + (tensors.streamNorm.map(random.ones) ?? [])
    let inputs = tensors.inputs.map(\.weight)
    // As above: keys and values that are made of something else too have a matrix of their own.
    keyValue = tensors.contextNorm == nil ? [] : [try random.matrix(Array(inputs.dropFirst()), place: 2)]
    queryKeyValue = [try random.matrix(keyValue.isEmpty ? inputs : Array(inputs.prefix(1)), place: 0)] + keyValue
    queryKeyValueBias = tensors.query.bias.map { _ in random.zeros(tensors.inputs.compactMap(\.bias)) }
    (queryNorm, keyNorm) = (tensors.queryNorm.map(random.ones), tensors.keyNorm.map(random.ones))
    (contextNorm, sinks) = (tensors.contextNorm.map(random.ones), tensors.sinks.map { random.zeros([$0]) })
    output = try random.matrix([tensors.output.weight], place: 1)
    outputBias = tensors.output.bias.map { random.zeros([$0]) }
    postNorm = tensors.postNorm.map(random.ones)
  }
}
